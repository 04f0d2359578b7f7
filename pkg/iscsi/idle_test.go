package iscsi_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// agreeAndSend is a step that agrees to the end of the login, and then sends PDUs.
func agreeAndSend(pdus ...*iscsi.PDU) iscsitest.Step {
	return func(conn net.Conn, req *iscsi.PDU) error {
		return send(conn, iscsitest.Text(answers()...)(conn, req), pdus)
	}
}

// replies is a step that sends PDUs in answer to any.
func replies(pdus ...*iscsi.PDU) iscsitest.Step {
	return func(conn net.Conn, _ *iscsi.PDU) error { return send(conn, nil, pdus) }
}

func send(conn net.Conn, err error, pdus []*iscsi.PDU) error {
	for _, p := range pdus {
		if err == nil {
			err = iscsitest.Write(conn, p)
		}
	}
	return err
}

func nopIn(t testing.TB, n iscsi.NOPIn) *iscsi.PDU {
	t.Helper()
	p, err := n.PDU()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func async(e iscsi.AsyncEvent, statSN byte) *iscsi.PDU {
	p := iscsi.AsyncMessage{Event: e}.PDU()
	p.BHS[27] = statSN
	return p
}

// idle logs in against a script. end returns what the script received after the login's only
// request.
func idle(t *testing.T, s ...iscsitest.Step) (i *iscsi.Idle, end func() []*iscsi.PDU) {
	t.Helper()
	conn, wait := iscsitest.Script(s).Start()
	pipe := iscsi.NewTCPPipe(conn)
	cfg := config()
	r, err := iscsi.Login(limited(t), pipe, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return iscsi.NewIdle(pipe, cfg.CmdSN, r), func() []*iscsi.PDU {
		pdus, err := wait()
		if err != nil {
			t.Error(err)
		}
		return pdus[1:]
	}
}

// A NOP-In of the target is answered; the end of the session is an error with its cause.
func TestIdleWait(t *testing.T) {
	ping := nopIn(t, iscsi.NOPIn{LUN: [8]byte{0, 3}, ITT: noTag, TTT: 7, StatSN: 1})
	quiet := nopIn(t, iscsi.NOPIn{ITT: noTag, TTT: noTag, StatSN: 1})
	scsi := &iscsi.PDU{}
	scsi.BHS[0] = byte(iscsi.OpSCSIResponse)
	for name, tt := range map[string]struct {
		script  []iscsitest.Step
		answers int
		want    string
	}{
		"closed":        {[]iscsitest.Step{agreeAndSend()}, 0, "receive: EOF"},
		"pinged":        {[]iscsitest.Step{agreeAndSend(ping), replies()}, 1, "receive: EOF"},
		"pinged twice":  {[]iscsitest.Step{agreeAndSend(quiet, ping), replies(ping), replies()}, 2, "receive: EOF"},
		"SCSI event":    {[]iscsitest.Step{agreeAndSend(async(iscsi.AsyncSCSI, 1), ping), replies()}, 1, "receive: EOF"},
		"dropped":       {[]iscsitest.Step{agreeAndSend(async(iscsi.AsyncDropSession, 1))}, 0, "target sent: target drops the session"},
		"logout wanted": {[]iscsitest.Step{agreeAndSend(async(iscsi.AsyncLogoutRequest, 1))}, 0, "target sent: target requests logout"},
		"rejected":      {[]iscsitest.Step{agreeAndSend(iscsi.RejectReason(4).PDU([48]byte{}))}, 0, "Reject: protocol error"},
		"no command":    {[]iscsitest.Step{agreeAndSend(scsi)}, 0, "SCSI Response in a session without commands"},
	} {
		t.Run(name, func(t *testing.T) {
			i, end := idle(t, tt.script...)
			if err := i.Wait(limited(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			received := end()
			if len(received) != tt.answers {
				t.Fatalf("%d answers, want %d", len(received), tt.answers)
			}
			expStatSN := uint32(1)
			if name == "SCSI event" {
				expStatSN = 2
			}
			for _, p := range received {
				n, err := iscsi.ParseNOPOut(p)
				if err != nil || !n.Immediate || n.TTT != 7 || n.ITT != noTag || n.LUN != [8]byte{0, 3} || n.CmdSN != 1 || n.ExpStatSN != expStatSN {
					t.Errorf("answer %+v, %v", n, err)
				}
			}
		})
	}
}

// answerPing answers a NOP-Out of the initiator.
func answerPing(statSN uint32) iscsitest.Step {
	return func(conn net.Conn, p *iscsi.PDU) error {
		n, err := iscsi.ParseNOPOut(p)
		if err != nil {
			return err
		}
		in, err := (&iscsi.NOPIn{ITT: n.ITT, TTT: noTag, StatSN: statSN}).PDU()
		if err != nil {
			return err
		}
		return iscsitest.Write(conn, in)
	}
}

// NOP-Outs have numbers of their own (RFC 7143 11.18), and a PDU between one and its NOP-In is not
// used as its response. The logout has the numbers that follow.
func TestIdlePing(t *testing.T) {
	logout := func(conn net.Conn, p *iscsi.PDU) error {
		r, err := iscsi.ParseLogoutRequest(p)
		if err != nil {
			return err
		}
		return iscsitest.Write(conn, (&iscsi.LogoutResponse{ITT: r.ITT, StatSN: 4}).PDU())
	}
	fromTarget := nopIn(t, iscsi.NOPIn{ITT: noTag, TTT: 9, StatSN: 2})
	answer := nopIn(t, iscsi.NOPIn{ITT: 2, TTT: noTag, StatSN: 3})
	i, end := idle(t, agreeAndSend(), answerPing(1), replies(async(iscsi.AsyncSCSI, 2), fromTarget), replies(answer), logout)
	ctx := limited(t)
	if err := errors.Join(i.Ping(ctx), i.Ping(ctx), i.Logout(ctx)); err != nil {
		t.Fatal(err)
	}
	received := end()
	if len(received) != 4 {
		t.Fatalf("%d PDUs", len(received))
	}
	for n, want := range []iscsi.NOPOut{
		{Immediate: true, ITT: 1, TTT: noTag, CmdSN: 1, ExpStatSN: 1},
		{Immediate: true, ITT: 2, TTT: noTag, CmdSN: 1, ExpStatSN: 2},
		{Immediate: true, ITT: noTag, TTT: 9, CmdSN: 1, ExpStatSN: 3},
	} {
		if got, err := iscsi.ParseNOPOut(received[n]); err != nil || got.ITT != want.ITT || got.TTT != want.TTT || got.CmdSN != want.CmdSN || got.ExpStatSN != want.ExpStatSN || !got.Immediate {
			t.Errorf("PDU %d is %+v, %v, want %+v", n+1, got, err, want)
		}
	}
	if r, err := iscsi.ParseLogoutRequest(received[3]); err != nil || r.Reason != iscsi.LogoutSession || r.ExpStatSN != 4 || r.ITT != 3 || r.CmdSN != 1 {
		t.Errorf("logout %+v, %v", r, err)
	}
}

// Ping returns an error if the target does not answer.
func TestIdlePingFails(t *testing.T) {
	i, end := idle(t, agreeAndSend(), replies())
	if err := i.Ping(limited(t)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	end()
	stray := make([]*iscsi.PDU, 64)
	for n := range stray {
		stray[n] = nopIn(t, iscsi.NOPIn{ITT: noTag, TTT: noTag})
	}
	i, _ = idle(t, agreeAndSend(), replies(stray...))
	var broke *iscsi.ProtocolError
	if err := i.Ping(limited(t)); !errors.As(err, &broke) {
		t.Errorf("got %v", err)
	}
}

// A wait that the context ends leaves the session usable, unless a part of a PDU was read.
func TestIdleWaitEnds(t *testing.T) {
	for _, partial := range []bool{false, true} {
		near, far := net.Pipe()
		half := make(chan bool)
		go func() {
			defer far.Close()
			if partial {
				_, _ = far.Write(make([]byte, 20)) // returns when it was read
			}
			close(half)
			_, _ = iscsitest.Script{answerPing(1)}.Serve(far)
		}()
		pipe := iscsi.NewTCPPipe(near)
		i := iscsi.NewIdle(pipe, 1, iscsi.Result{ExpStatSN: 1})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-half
			if !partial {
				time.Sleep(10 * time.Millisecond) // in Receive by then, most likely
			}
			cancel()
		}()
		if err := i.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("partial %v: wait: %v", partial, err)
		}
		if err := i.Ping(limited(t)); (err != nil) != partial {
			t.Errorf("partial %v: ping: %v", partial, err)
		}
		_ = near.Close()
	}
}

// FuzzIdle: with any bytes after the login each method returns, and without an error only after a
// valid response.
func FuzzIdle(f *testing.F) {
	add := func(pdus ...*iscsi.PDU) {
		var all []byte
		for _, p := range pdus {
			b, err := p.MarshalBinary()
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b...)
		}
		f.Add(all)
	}
	fromTarget, fromInitiator := nopIn(f, iscsi.NOPIn{ITT: noTag, TTT: 9}), nopIn(f, iscsi.NOPIn{ITT: 1, TTT: noTag, StatSN: 5})
	add(fromTarget, fromInitiator, (&iscsi.LogoutResponse{ITT: 2}).PDU())
	add(async(iscsi.AsyncSCSI, 1), async(iscsi.AsyncDropConnection, 2))
	add(iscsi.RejectReason(4).PDU([48]byte{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		i := iscsi.NewIdle(iscsi.NewTCPPipe(iscsitest.Replay(b)), 1, iscsi.Result{})
		if err := i.Ping(t.Context()); err == nil && len(b) < iscsi.BHSLen {
			t.Error("an answer of no bytes")
		}
		_ = i.Logout(t.Context())
		if err := iscsi.NewIdle(iscsi.NewTCPPipe(iscsitest.Replay(b)), 1, iscsi.Result{}).Wait(t.Context()); err == nil {
			t.Error("an end without a reason")
		}
	})
}
