package lab

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// HTTP is a running web server.
type HTTP struct {
	server *http.Server
	done   chan struct{}

	mu  sync.Mutex // guards log
	log strings.Builder
}

// StartHTTP serves the files below a directory at an address inside the namespace. Connections are
// taken when it returns.
func (ns *Namespace) StartHTTP(addr netip.AddrPort, dir string) (*HTTP, error) {
	h := &HTTP{done: make(chan struct{})}
	files := http.FileServer(http.Dir(dir))
	h.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
			files.ServeHTTP(seen, r)
			h.note("%s %s %d\n", r.Method, r.URL.Path, seen.status)
		}),
		ReadHeaderTimeout: time.Minute,
	}
	var l net.Listener
	err := ns.Do(func() (err error) {
		l, err = net.Listen("tcp", addr.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start http server: %w", err)
	}
	if err := ns.keep(h); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("start http server: %w", err)
	}
	go func() {
		defer close(h.done)
		_ = h.server.Serve(l) // ends by Close only
	}()
	return h, nil
}

// keep registers c to be closed by Close.
func (ns *Namespace) keep(c io.Closer) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.closed {
		return ErrClosed
	}
	ns.closers = append(ns.closers, c)
	return nil
}

func (h *HTTP) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(&h.log, format, args...)
}

// Log has a line for each request: method, path, status.
func (h *HTTP) Log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// Close ends the server and its connections. Closing twice is harmless.
func (h *HTTP) Close() error {
	err := h.server.Close()
	<-h.done
	return err
}

// statusWriter remembers the answer's status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader is [http.ResponseWriter]'s.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
