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

// try is one connection: it is bound to the session, logged in and started, or stopped again.
func (s *Session) try(ctx context.Context, conn *net.TCPConn, e entry, cfg iscsi.LoginConfig) (notes Notes, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.login)
	defer cancel()
	kernelPipe := s.kernel.Pipe()
	defer kernelPipe.Close() // after the stop: a response that is late is no other program's login
	defer func() {
		if err == nil {
			return
		}
		if serr := s.stop(ctx); serr != nil {
			err = fmt.Errorf("%w; then %w", err, serr)
		}
	}()
	pipe := &watchedPipe{Pipe: kernelPipe, patience: s.patience(e)}
	e.way.Source = local(conn)
	if err := s.bind(ctx, conn); err != nil {
		return Notes{}, err
	}
	if err := s.kernel.Set(ctx, s.before(e)); err != nil {
		return Notes{}, err
	}
	s.complete(&cfg, s.ISID)
	cfg.TPGT = e.group
	result, err := iscsi.Login(ctx, pipe, cfg)
	s.heard(e, pipe.slowest, err)
	if err != nil {
		return Notes{}, pipe.explain(err)
	}
	s.loggedIn(e, result)
	if err := s.kernel.Set(ctx, s.after(result)); err != nil {
		return Notes{}, err
	}
	return s.notes(result), s.kernel.Start(ctx)
}

// loggedIn notes what the login decided.
func (s *Session) loggedIn(e entry, r iscsi.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Portal, s.Way, s.Params, s.TSIH = e.addr, e.way, r.Params, r.TSIH
	if r.HasTPGT {
		s.TPGT = r.TPGT
	}
}

// stop gives the connection up.
func (s *Session) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.times.stop)
	defer cancel()
	if err := Permitted(ctx, StepStop); err != nil {
		return err
	}
	return s.kernel.Stop(ctx)
}

// notes sorts what the login found odd.
func (s *Session) notes(r iscsi.Result) Notes {
	n := Notes{Oddities: r.Warnings}
	if s.chap == nil {
		return n
	}
	n.Warnings = s.chap.Warnings()
	n.Oddities = slices.DeleteFunc(n.Oddities, func(w string) bool { return slices.Contains(n.Warnings, w) })
	if s.unspeakable() {
		n.Warnings = append(n.Warnings, "a CHAP secret holds a byte 0, which the kernel cannot keep: iscsid will not be able to log in with it")
	}
	return n
}

// bind gives the connection to the kernel and closes our end of it.
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

// watchedPipe waits for each response only so long, and knows how far a login came.
type watchedPipe struct {
	iscsi.Pipe
	patience time.Duration
	slowest  time.Duration // response that came
	stage    iscsi.Stage   // of the last request
	sent     bool
}

// Send implements iscsi.Pipe.
func (w *watchedPipe) Send(ctx context.Context, p *iscsi.PDU) error {
	if r, err := iscsi.ParseLoginRequest(p); err == nil {
		w.stage, w.sent = r.CSG, true
	}
	return w.Pipe.Send(ctx, p)
}

// Receive implements iscsi.Pipe.
func (w *watchedPipe) Receive(ctx context.Context) (*iscsi.PDU, error) {
	patient, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	began := time.Now()
	p, err := w.Pipe.Receive(patient)
	if err == nil {
		w.slowest = max(w.slowest, time.Since(began))
	}
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		return nil, &SilenceError{w.patience}
	}
	return p, err
}

// explain adds the stage to an error that does not tell it.
func (w *watchedPipe) explain(err error) error {
	if !w.sent {
		return err
	}
	return &stageError{w.stage, err}
}
