package control

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// FD is the shell's end of the socket pair in the shell.
const FD = 3

// timeout is for how long the shell waits for PID 1.
const timeout = 10 * time.Second

// Pair makes the two ends: that of PID 1, which is non-blocking, and the shell's. Neither is
// inherited by other programs.
func Pair() (own, shells *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("socket pair: %w", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

// Serve answers each request until the other end is closed or conn is.
func Serve(conn *os.File, answer func(Request) Answer) {
	buf := make([]byte, MaxRequest+1)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		a := Answer{Kind: Failed}
		if r, err := ParseRequest(buf[:n]); err != nil {
			a.Text = err.Error()
		} else {
			a = answer(r)
		}
		// A shell that does not read its answers is disconnected.
		if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return
		}
		if _, err := io.WriteString(conn, a.String()); err != nil {
			return
		}
	}
}

// Client is the shell's end.
type Client struct {
	mu   sync.Mutex // held from a request to its answer: the socket carries one at a time
	conn *os.File
}

// NewClient returns a client of the socket that the shell inherited as fd; nil if fd is not one:
// the shell was not started by PID 1 then.
func NewClient(fd int) *Client {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return nil
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil
	}
	return &Client{conn: os.NewFile(uintptr(fd), "control")}
}

// Ask sends a request and returns the answer. A nil Client returns an error.
func (c *Client) Ask(words ...string) (Answer, error) {
	if c == nil {
		return Answer{}, errors.New("not connected to process 1")
	}
	if err := Request(words).check(); err != nil {
		return Answer{}, fmt.Errorf("ask process 1: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return Answer{}, fmt.Errorf("ask process 1: %w", err)
	}
	if _, err := io.WriteString(c.conn, Request(words).String()); err != nil {
		return Answer{}, fmt.Errorf("ask process 1: %w", err)
	}
	buf := make([]byte, MaxAnswer+1)
	n, err := c.conn.Read(buf)
	if err != nil {
		return Answer{}, fmt.Errorf("answer of process 1: %w", err)
	}
	return ParseAnswer(buf[:n])
}
