package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// terminal is the terminal at which lines are typed. Its modes are changed only while a line is
// read, so that a command gets the modes that programs expect.
type terminal struct {
	file  *os.File
	is    bool // it is a terminal, and not a file or a pipe
	sane  unix.Termios
	plain *bufio.Reader // for input that is not a terminal
}

// newTerminal prepares standard input. The terminal is opened anew: a read of that file can be
// cancelled, and its flags are not shared with the programs that inherit standard input.
func newTerminal(stdin *os.File) *terminal {
	sane, err := unix.IoctlGetTermios(int(stdin.Fd()), unix.TCGETS)
	if err != nil {
		return &terminal{file: stdin, plain: bufio.NewReader(stdin)}
	}
	t := &terminal{file: stdin, is: true, sane: *sane}
	if fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
		t.file = os.NewFile(uintptr(fd), "/dev/tty")
	}
	return t
}

// control calls f with the terminal's descriptor. File.Fd would make it blocking.
func (t *terminal) control(f func(fd int) error) error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	return errors.Join(raw.Control(func(fd uintptr) { ferr = f(int(fd)) }), ferr)
}

// raw makes each key readable as it is typed, Ctrl-C too. Output is still processed: a background
// command may write meanwhile.
func (t *terminal) raw() error {
	m := t.sane
	m.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	m.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	m.Cc[unix.VMIN], m.Cc[unix.VTIME] = 1, 0
	return t.set(&m)
}

// cooked restores the modes that a command expects.
func (t *terminal) cooked() error { return t.set(&t.sane) }

func (t *terminal) set(m *unix.Termios) error {
	if err := t.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, m) }); err != nil {
		return fmt.Errorf("set terminal modes: %w", err)
	}
	return nil
}

// size is 80 times 24 where the terminal has no size, as a serial line.
func (t *terminal) size() (columns, rows int) {
	columns, rows = 80, 24
	_ = t.control(func(fd int) error {
		ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil && ws.Col > 0 && ws.Row > 0 {
			columns, rows = int(ws.Col), int(ws.Row)
		}
		return nil
	})
	return columns, rows
}

// cancelable ends reads of f when ctx ends, until done is called, after which f can be read again.
// Reads of files without deadlines, such as regular files, do not wait.
func cancelable(ctx context.Context, f *os.File) (done func()) {
	gaveUp := make(chan struct{})
	stop := context.AfterFunc(ctx, contain.Func("the end of a read", func() {
		defer close(gaveUp)
		_ = f.SetReadDeadline(time.Unix(1, 0))
	}, nil))
	return func() {
		if !stop() {
			<-gaveUp
			_ = f.SetReadDeadline(time.Time{})
		}
	}
}

// password reads a line without showing it.
func (t *terminal) password(prompt string, out io.Writer) (string, error) {
	if !t.is {
		return t.plain.ReadString('\n')
	}
	if err := t.raw(); err != nil {
		return "", err
	}
	defer func() { _ = t.cooked() }()
	keys := &keyboard{r: t.file}
	return term.NewTerminal(readWriter{keys, out}, "").ReadPassword(prompt)
}

type readWriter struct {
	io.Reader
	io.Writer
}

// Size implements verb.Terminal.
func (t *terminal) Size() (columns, rows int) { return t.size() }

// Key implements verb.Terminal.
func (t *terminal) Key(ctx context.Context) (byte, error) {
	if err := t.raw(); err != nil {
		return 0, err
	}
	defer func() { _ = t.cooked() }()
	defer cancelable(ctx, t.file)()
	var b [1]byte
	if _, err := t.file.Read(b[:]); err != nil {
		return 0, errors.Join(ctx.Err(), err)
	}
	return b[0], nil
}
