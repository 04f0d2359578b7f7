package kerneltest

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Socket is a kernel.Socket whose other end is a function.
type Socket struct {
	answer func(request []byte) [][]byte

	mu       sync.Mutex // guards requests and refuse
	requests [][]byte
	refuse   error

	in     chan datagram
	closed chan struct{}
	once   sync.Once
}

type datagram struct {
	b   []byte
	err error
}

var _ kernel.Socket = (*Socket)(nil)

// NewSocket returns a socket that sends the datagrams that answer returns for a request. With a nil
// answer the kernel does not answer.
func NewSocket(answer func(request []byte) [][]byte) *Socket {
	return &Socket{answer: answer, in: make(chan datagram, 1024), closed: make(chan struct{})}
}

// Send implements kernel.Socket.
func (s *Socket) Send(b []byte) error {
	b = bytes.Clone(b)
	s.mu.Lock()
	refuse := s.refuse
	if refuse == nil {
		s.requests = append(s.requests, b)
	}
	s.mu.Unlock()
	if refuse != nil || s.answer == nil {
		return refuse
	}
	s.Emit(s.answer(b)...)
	return nil
}

// Receive implements kernel.Socket.
func (s *Socket) Receive() ([]byte, error) {
	select {
	case d := <-s.in:
		return d.b, d.err
	case <-s.closed:
		return nil, os.ErrClosed
	}
}

// Close implements kernel.Socket.
func (s *Socket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Emit sends datagrams without a request.
func (s *Socket) Emit(datagrams ...[]byte) {
	for _, b := range datagrams {
		s.in <- datagram{b: b}
	}
}

// Lose makes the next Receive report a buffer that overflowed.
func (s *Socket) Lose() { s.in <- datagram{err: unix.ENOBUFS} }

// Break makes every later Receive fail, except for datagrams that were sent before.
func (s *Socket) Break(err error) { s.in <- datagram{err: err} }

// Refuse makes every later Send fail.
func (s *Socket) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// Requests returns what was sent so far.
func (s *Socket) Requests() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.requests...)
}
