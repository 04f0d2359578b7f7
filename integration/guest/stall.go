//go:build linux

package main

import (
	"errors"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stall overwrites a block of root past the page cache for a number of seconds, one write after the
// other, and prints how long the longest took. A write that has begun is waited for.
func stall(text string) error {
	seconds, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	const path, size = "/data/stall", 4096
	if err := writeSynced(path, make([]byte, size)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT|unix.O_DSYNC, 0)
	if err != nil {
		return err
	}
	raw := make([]byte, 2*size)
	block := raw[size-int(uintptr(unsafe.Pointer(&raw[0]))%size):][:size]
	say("stall: writes for %d s", seconds)
	go func() {
		var longest time.Duration
		var err error
		n := 0
		for end := time.Now().Add(time.Duration(seconds) * time.Second); err == nil && time.Now().Before(end); n++ {
			began := time.Now()
			_, err = f.WriteAt(block, 0)
			longest = max(longest, time.Since(began))
			time.Sleep(5 * time.Millisecond) // for other programs
		}
		if err = errors.Join(err, f.Close()); err != nil {
			say("stall: error: %v", err)
			return
		}
		say("stall: the longest of %d writes took %d ms", n, longest.Milliseconds())
	}()
	return nil
}
