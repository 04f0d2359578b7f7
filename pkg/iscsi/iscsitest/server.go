package iscsitest

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// Server accepts TCP connections on loopback and calls a function for each, such as Target.Serve.
type Server struct {
	listener net.Listener
	tasks    sync.WaitGroup

	mu    sync.Mutex        // guards the rest
	conns map[net.Conn]bool // nil: closed
	errs  []error
}

// Listen serves every connection in a goroutine of its own, on a free port of 127.0.0.1.
func Listen(serve func(net.Conn) error) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{listener: l, conns: map[net.Conn]bool{}}
	s.tasks.Go(func() { s.accept(serve) })
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.listener.Addr().(*net.TCPAddr).AddrPort() }

// Close stops listening, closes all connections and waits for their end. It returns the errors of
// serve, joined, except those of connections that it closed itself.
func (s *Server) Close() error {
	_ = s.listener.Close()
	s.mu.Lock()
	err := errors.Join(s.errs...)
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.tasks.Wait()
	return err
}

func (s *Server) accept(serve func(net.Conn) error) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		if !s.add(conn) {
			_ = conn.Close()
			return
		}
		s.tasks.Go(func() {
			err := serve(conn)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, conn)
			if err != nil {
				s.errs = append(s.errs, err)
			}
		})
	}
}

// add stores a connection unless the server is closed.
func (s *Server) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[conn] = true
	return true
}
