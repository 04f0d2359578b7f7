package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// A signal ends a command within a second: in tidyTime the command takes back by itself what it has
// begun, else it is done for it in undoTime, since a read from a network file system does not look
// at a context.
const (
	tidyTime = 600 * time.Millisecond
	undoTime = 250 * time.Millisecond
)

// endingSignals returns a channel of the signals that end a command. One that the caller has set to
// be ignored, as nohup(1) does with SIGHUP and a shell with SIGINT of a background job, stays so.
func endingSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// interruptible runs a command and returns its exit status; after a signal that is 128 and the
// signal's number, as shells have it, unless the command was complete already. The second signal
// ends it immediately: what is left then is removed by the next run. The command may still be at
// work when interruptible returns.
func interruptible(signals <-chan os.Signal, command func(context.Context) int) int {
	var undo outfile.Undo
	ctx, cancel := context.WithCancel(outfile.WithUndo(context.Background(), &undo))
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- command(ctx) }() // until the process ends
	var status int
	select {
	case status := <-done:
		return status
	case s := <-signals:
		status = 128 + int(s.(syscall.Signal))
	}
	left := undo.Close()
	cancel()
	if left == 0 { // nothing to undo, so a read, a computation or a write to a pipe is not waited for
		return status
	}
	select {
	case own := <-done:
		if own == 0 {
			return 0
		}
		return status
	case <-signals:
		return status
	case <-time.After(tidyTime):
	}
	undone := make(chan struct{})
	go func() { // until the process ends
		undo.Run()
		close(undone)
	}()
	select {
	case <-undone:
	case <-signals:
	case <-time.After(undoTime):
	}
	return status
}
