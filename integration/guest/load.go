//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// load writes a file of 256 KiB five times a second, each synced before the
// next, and says how long the longest one took. Half way it kills the agent's
// worker.
func load(dir string, files int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sums := ""
	random := rand.NewChaCha8([32]byte{2})
	buf := make([]byte, 256<<10)
	longest := time.Duration(0)
	for i := range files {
		_, _ = random.Read(buf)
		name := fmt.Sprintf("load%03d", i)
		began := time.Now()
		if err := writeSynced(filepath.Join(dir, name), buf); err != nil {
			return err
		}
		longest = max(longest, time.Since(began))
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(buf), name)
		fmt.Printf("guest: load %d\n", i)
		if i == files/2 {
			fmt.Printf("guest: killed %d workers\n", killAgent("@iscsiroot-agent"))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err := writeSynced(filepath.Join(dir, "SHA256SUMS"), []byte(sums)); err != nil {
		return err
	}
	fmt.Printf("guest: loaded %d files, the longest took %.1f s\n", files, longest.Seconds())
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// killAgent kills the processes of a name and returns how many there were.
func killAgent(name string) int {
	n := 0
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if argv0, _, _ := strings.Cut(string(b), "\x00"); err != nil || argv0 != name {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && unix.Kill(pid, unix.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// showAgent prints the agent's processes with their memory, and its files in
// /run.
func showAgent() error {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(b), "@iscsiroot") {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil {
			return err
		}
		for line := range strings.SplitSeq(string(status), "\n") {
			if strings.HasPrefix(line, "Vm") || strings.HasPrefix(line, "Rss") {
				fmt.Printf("guest: agent %s: %s\n", strings.TrimRight(string(b), "\x00"), line)
			}
		}
	}
	return show("status: ", "/run/iscsiroot/status")
}
