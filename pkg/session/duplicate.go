package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A machine that logs in with the initiator name and the ISID of a session ends that session
// (reinstatement, RFC 7143 6.3.5). A network or a target that breaks connections does so for any
// ISID. So a trial has three idle sessions, which differ in the ISID alone.

// trials is how many consecutive trials must have the same result: a single connection may break by
// chance.
const trials = 2

// Duplicate reports whether another machine uses the session's initiator name and ISID. It may be
// called only while the kernel's session is down, and while nothing else logs in to it. It logs in
// three times over connections of its own, the second time with the session's ISID, and waits at
// most wait for the target to end the session with that ISID and neither of the others. Each step
// has a deadline, and no session is left at the target.
//
// After an error there is no result.
func (s *Session) Duplicate(ctx context.Context, ways []Way, wait time.Duration) (bool, error) {
	for range trials {
		ended, err := s.trial(ctx, ways, wait)
		if err != nil {
			return false, fmt.Errorf("look for a duplicate of %s: %w", s.Initiator, err)
		}
		if !ended {
			return false, nil
		}
	}
	return true, nil
}

// probe is one of the sessions of a trial.
type probe struct {
	isid [6]byte
	conn net.Conn
	idle *iscsi.Idle
	over bool // the target has ended it
}

// subject is the index of the session's own ISID among the probes.
const subject = 1

// trial reports whether the target ended the subject alone.
func (s *Session) trial(ctx context.Context, ways []Way, wait time.Duration) (bool, error) {
	conn, p, err := s.anyPortal(ctx, ways)
	if err != nil {
		return false, err
	}
	var probes []*probe
	defer func() { s.logoutAll(ctx, probes) }()
	for _, isid := range [][6]byte{randomISID(), s.ISID, randomISID()} {
		one, err := s.probe(ctx, conn, p, isid)
		if err != nil {
			return false, fmt.Errorf("log in with ISID %x: %w", isid, err)
		}
		conn, probes = nil, append(probes, one)
	}
	if ended, err := s.subjectEnds(ctx, probes, wait); !ended || err != nil {
		return false, err
	}
	for i, one := range probes {
		if i == subject {
			continue
		}
		if err := s.ping(ctx, one); err != nil {
			return false, fmt.Errorf("session with ISID %x: %w", one.isid, err)
		}
	}
	return true, nil
}

// anyPortal connects to the portal of the last login or, if that fails, to another one.
func (s *Session) anyPortal(ctx context.Context, ways []Way) (*net.TCPConn, path, error) {
	known := s.KnownPortals()
	if at := s.At(); at.IsValid() {
		known = unique(append([]netip.AddrPort{at}, known...))
	}
	ways, err := s.allowed(ways)
	if err != nil {
		return nil, path{}, err
	}
	paths := pathsOrPlain(ways, known)
	if len(paths) == 0 {
		return nil, path{}, errNoPortal
	}
	conn, winner, lost := s.race(ctx, paths)
	if conn == nil {
		return nil, path{}, fmt.Errorf("connect to %s: %w", paths[0].addr, lost[0])
	}
	return conn, paths[winner], nil
}

// probe logs in with an ISID, by conn or, without one, by a connection of the same path. It offers
// the digests that the session's own login does, because a target may require them. A redirect is
// not followed: the probes must be at one portal.
func (s *Session) probe(ctx context.Context, conn *net.TCPConn, p path, isid [6]byte) (*probe, error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.probe)
	defer cancel()
	var one *probe
	_, err := s.loginWithFallbacks(func(cfg iscsi.LoginConfig) (err error) {
		if conn == nil {
			if conn, err = s.dial(ctx, p); err != nil {
				return err
			}
		}
		s.complete(&cfg, isid)
		cfg.Offer.MaxRecvDataSegmentLength = iscsi.LoginDataLen // the limit of a TCPPipe
		pipe := iscsi.NewTCPPipe(conn)
		result, err := iscsi.Login(ctx, pipe, cfg)
		if err != nil {
			_ = conn.Close()
			conn = nil
			return err
		}
		pipe.SetDigests(result.Params.HeaderDigest, result.Params.DataDigest)
		one = &probe{isid: isid, conn: conn, idle: iscsi.NewIdle(pipe, cfg.CmdSN, result)}
		return nil
	})
	return one, err
}

// randomISID returns an ISID of the random type (RFC 7143 11.12.5, T is 10b), which neither the
// kernel nor open-iscsi uses.
func randomISID() [6]byte {
	isid := [6]byte{0x80}
	_, _ = rand.Read(isid[1:]) // never fails
	return isid
}

// end is the result of waiting for a probe's end.
type end struct {
	index int
	err   error
}

// subjectEnds waits until a probe ends, and reports whether the subject, and no other, ended. The
// goroutines end before it returns.
func (s *Session) subjectEnds(ctx context.Context, probes []*probe, wait time.Duration) (bool, error) {
	watch, stop := context.WithTimeout(ctx, wait)
	defer stop()
	ends := make(chan end, len(probes))
	for i, one := range probes {
		contain.Go("watch of a session", func() { ends <- end{i, one.idle.Wait(watch)} }, func(err error) { ends <- end{i, err} })
	}
	first := <-ends
	stop()
	for _, e := range append([]end{first}, receiveAll(ends, len(probes)-1)...) {
		probes[e.index].over = !errors.Is(e.err, context.Canceled) && !errors.Is(e.err, context.DeadlineExceeded)
		if i := e.index; probes[i].over && i != subject {
			return false, fmt.Errorf("session with ISID %x ended as well: %w", probes[i].isid, e.err)
		}
	}
	return probes[subject].over, ctx.Err()
}

func receiveAll(ends <-chan end, n int) []end {
	out := make([]end, n)
	for i := range out {
		out[i] = <-ends
	}
	return out
}

// ping returns an error if a session does not answer.
func (s *Session) ping(ctx context.Context, one *probe) error {
	ctx, cancel := context.WithTimeout(ctx, s.times.probe)
	defer cancel()
	return one.idle.Ping(ctx)
}

// logoutAll logs out of all sessions concurrently. When ctx has ended, the connections are closed
// without a logout, so that the next login does not wait.
func (s *Session) logoutAll(ctx context.Context, probes []*probe) {
	ctx, cancel := context.WithTimeout(ctx, s.times.leave)
	defer cancel()
	var logouts sync.WaitGroup
	for _, one := range probes {
		logouts.Go(contain.Func("a logout", func() {
			defer one.conn.Close()
			if !one.over {
				_ = one.idle.Logout(ctx)
			}
		}, nil))
	}
	logouts.Wait()
}
