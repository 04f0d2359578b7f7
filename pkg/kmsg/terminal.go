package kmsg

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// waitingLines is how many lines wait for a terminal before more are dropped. The second half is
// for errors.
const waitingLines = 256

// terminal is one that the logger writes to itself. A terminal can stop accepting output, by Ctrl-S
// or without CTS on a serial line, for any length of time. So its own goroutine writes, from
// startTerminal to end, and lines for which the queue has no room are dropped and counted.
type terminal struct {
	file    *os.File
	lines   chan entry    // never closed: log and Flush send
	ended   chan struct{} // closed by end
	dropped int           // since the last line that had a place; Logger.mu is held
}

// entry is a line, or, with done, a mark: closed when all before it is written.
type entry struct {
	text string
	done chan struct{}
}

// startTerminal starts the goroutine. If it ended by a panic, the terminal would accept nothing
// more.
func startTerminal(f *os.File) *terminal {
	t := &terminal{file: f, lines: make(chan entry, waitingLines), ended: make(chan struct{})}
	contain.Go("terminal "+f.Name(), t.write, nil)
	return t
}

// write writes lines until end is called.
func (t *terminal) write() {
	for {
		select {
		case e := <-t.lines:
			if e.done != nil {
				close(e.done)
				continue
			}
			// A line that cannot be written has nowhere else to go.
			_, _ = fmt.Fprintf(t.file, "%s\r\n", e.text)
		case <-t.ended:
			return
		}
	}
}

// put queues a line, or drops it; Logger.mu is held.
func (t *terminal) put(level Level, line string) {
	if level > Err && len(t.lines) >= waitingLines/2 {
		t.dropped++
		return
	}
	if t.dropped > 0 {
		line = fmt.Sprintf("%s%d lines are not shown here: the terminal was too slow, or stopped\r\n%s", prefix, t.dropped, line)
	}
	select {
	case t.lines <- entry{text: line}:
		t.dropped = 0
	default:
		t.dropped++
	}
}

// flush returns when all lines so far are written, ctx ends, or end is called.
func (t *terminal) flush(ctx context.Context) {
	done := make(chan struct{})
	select {
	case t.lines <- entry{done: done}:
	case <-ctx.Done():
		return
	case <-t.ended:
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-t.ended:
	}
}

// end ends the goroutine; what it has not written by then is lost.
func (t *terminal) end() {
	close(t.ended)
	if t.file != os.Stderr {
		_ = t.file.Close() // which ends a write that waits
	}
}

// openTerminal opens a terminal for writing without making it the controlling terminal and without
// waiting for a modem. A serial port without hardware can be opened, but fails to return its
// settings.
func openTerminal(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %s: no terminal: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
