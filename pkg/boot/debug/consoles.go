package debug

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// chooseConsole returns the terminal for the shell: the only console, or the first on which Enter
// is pressed. list is the file with their names: activeConsoles.
func chooseConsole(list string) (*os.File, error) {
	all := openConsoles(list)
	if len(all) == 0 {
		return openTTY("/dev/console")
	}
	defer func() {
		for _, f := range all {
			_ = f.Close()
		}
	}()
	chosen := all[0]
	if len(all) > 1 {
		for _, f := range all {
			_, _ = fmt.Fprintf(f, "\r\niscsiroot: press Enter here for the shell\r\n")
		}
		var err error
		if chosen, err = firstEnter(context.Background(), all); err != nil {
			return nil, err
		}
	}
	return openTTY(chosen.Name())
}

// activeConsoles is the file that lists the terminals of console= that exist.
const activeConsoles = "/sys/class/tty/console/active"

// openConsoles opens the terminals, for reads that can be cancelled. /dev/console itself cannot
// become a controlling terminal.
func openConsoles(list string) []*os.File {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil
	}
	var out []*os.File
	for _, name := range strings.Fields(string(b)) {
		path := "/dev/" + name
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		out = append(out, os.NewFile(uintptr(fd), path))
	}
	return out
}

func openTTY(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// errHungUp: every console has hung up.
var errHungUp = errors.New("no console answers")

// firstEnter waits for a line on any of the terminals and returns the one that it came from.
func firstEnter(ctx context.Context, terminals []*os.File) (*os.File, error) {
	answers := make(chan int, len(terminals))
	for i, f := range terminals {
		contain.Go("wait for Enter", func() {
			if n, err := f.Read(make([]byte, 256)); n <= 0 || err != nil {
				i = -1
			}
			answers <- i
		}, func(error) { answers <- -1 })
	}
	stop := func() {
		for _, f := range terminals {
			_ = f.SetReadDeadline(past)
		}
	}
	defer context.AfterFunc(ctx, contain.Func("end of the wait for Enter", stop, nil))()
	first := -1
	for range terminals { // all must have stopped reading their terminal
		if i := <-answers; i >= 0 && first < 0 {
			first = i
			stop()
		}
	}
	if first < 0 {
		return nil, errors.Join(errHungUp, ctx.Err())
	}
	return terminals[first], nil
}

// past is a deadline that ends a read immediately.
var past = time.Unix(1, 0)
