package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// loginOnce binds a connection to the session, logs in and starts it. After an error the connection
// is stopped.
func (s *Session) loginOnce(ctx context.Context, conn *net.TCPConn, e loginPath, cfg iscsi.LoginConfig) (notes Notes, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.login)
	defer cancel()
	kernelPipe := s.kernel.Pipe()
	defer kernelPipe.Close() // after the stop: until then a late response is received here, not by another program's login
	defer func() {
		if err == nil {
			return
		}
		if serr := s.stop(ctx); serr != nil {
			err = fmt.Errorf("%w; then %w", err, serr)
		}
	}()
	pipe := &timedPipe{Pipe: kernelPipe, timeout: s.responseTimeout(e)}
	e.way.Source = local(conn)
	if err := s.bind(ctx, conn); err != nil {
		return Notes{}, err
	}
	if err := s.kernel.Set(ctx, s.settingsBeforeLogin(e)); err != nil {
		return Notes{}, err
	}
	s.complete(&cfg, s.ISID)
	cfg.TPGT = e.group
	result, err := iscsi.Login(ctx, pipe, cfg)
	s.recordResponse(e, pipe.slowest, err)
	if err != nil {
		return Notes{}, pipe.explain(err)
	}
	s.recordLogin(e, result)
	if err := s.kernel.Set(ctx, s.settingsAfterLogin(result)); err != nil {
		return Notes{}, err
	}
	return s.notes(result), s.kernel.Start(ctx)
}

// recordLogin stores what was negotiated.
func (s *Session) recordLogin(e loginPath, r iscsi.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Portal, s.Way, s.Params, s.TSIH = e.addr, e.way, r.Params, r.TSIH
	if r.HasTPGT {
		s.TPGT = r.TPGT
	}
}

// stop has the kernel stop the connection.
func (s *Session) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.times.stop)
	defer cancel()
	if err := Permitted(ctx, StepStop); err != nil {
		return err
	}
	return s.kernel.Stop(ctx)
}

// notes separates the warnings of a login from the oddities of the target.
func (s *Session) notes(r iscsi.Result) Notes {
	n := Notes{Oddities: r.Warnings}
	if s.chap == nil {
		return n
	}
	n.Warnings = s.chap.Warnings()
	n.Oddities = slices.DeleteFunc(n.Oddities, func(w string) bool { return slices.Contains(n.Warnings, w) })
	if s.secretHasNUL() {
		n.Warnings = append(n.Warnings, "a CHAP secret contains a zero byte, which the kernel cannot store: iscsid will not be able to log in with it")
	}
	return n
}

// bind passes the connection to the kernel and closes this process's descriptor.
func (s *Session) bind(ctx context.Context, conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err == nil {
		err = Permitted(ctx, StepBind)
	}
	if err == nil {
		var berr error
		err = errors.Join(raw.Control(func(fd uintptr) { berr = s.kernel.Bind(ctx, fd) }), berr)
	}
	if cerr := conn.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close connection: %w", cerr)
	}
	return err
}

// timedPipe limits the wait for each response, and records the stage of the login.
type timedPipe struct {
	iscsi.Pipe
	timeout time.Duration
	slowest time.Duration // the longest wait for a response that arrived
	stage   iscsi.Stage   // of the last request
	sent    bool
}

// Send implements iscsi.Pipe.
func (w *timedPipe) Send(ctx context.Context, p *iscsi.PDU) error {
	if r, err := iscsi.ParseLoginRequest(p); err == nil {
		w.stage, w.sent = r.CSG, true
	}
	return w.Pipe.Send(ctx, p)
}

// Receive implements iscsi.Pipe.
func (w *timedPipe) Receive(ctx context.Context) (*iscsi.PDU, error) {
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	began := time.Now()
	p, err := w.Pipe.Receive(limited)
	if err == nil {
		w.slowest = max(w.slowest, time.Since(began))
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, &SilenceError{w.timeout}
	}
	return p, err
}

// explain adds the stage to an error.
func (w *timedPipe) explain(err error) error {
	if !w.sent {
		return err
	}
	return &stageError{w.stage, err}
}
