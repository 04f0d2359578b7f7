package targets

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// twice logs in twice with one name and ISID, and returns whether the target ends the first
// session, as RFC 7143 6.3.5 requires. If it does not, both answer pings. Both are closed in the
// end.
func twice(ctx context.Context, t *testing.T, ns *lab.Namespace, target Config, security bool) (ended bool) {
	t.Helper()
	cfg := iscsi.LoginConfig{InitiatorName: labInitiator, TargetName: target.Name, ISID: [6]byte{0, 2, 0x3d, 0, 0, 7}, CmdSN: 1, SecurityStage: security}
	var both [2]*iscsi.Idle
	for i := range both {
		pipe := &counted{Pipe: iscsi.NewTCPPipe(dialPortal(t, ns, target.Portal))}
		res, err := iscsi.Login(ctx, pipe, cfg)
		if err != nil {
			t.Fatalf("%s, security stage %v, login %d: %v", target.Name, security, i+1, err)
		}
		if want := map[bool]int{false: 1, true: 2}[security]; pipe.sent != want {
			t.Errorf("%s, security stage %v: %d exchanges", target.Name, security, pipe.sent)
		}
		both[i] = iscsi.NewIdle(pipe, cfg.CmdSN, res)
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := both[0].Wait(wait)
	if ended = errors.Is(err, io.EOF); !ended {
		if err := errors.Join(both[0].Ping(ctx), both[0].Logout(ctx)); err != nil {
			t.Errorf("%s, security stage %v: the first session: %v", target.Name, security, err)
		}
	}
	if err := errors.Join(both[1].Ping(ctx), both[1].Logout(ctx)); err != nil {
		t.Errorf("%s, security stage %v: the second session: %v", target.Name, security, err)
	}
	return ended
}

// noneLeft waits until a target has no sessions, which is a moment after it has answered the
// logout.
func noneLeft(ctx context.Context, t *testing.T, kind string, sessions func() (int, error)) {
	t.Helper()
	n, err := sessions()
	for end := time.Now().Add(10 * time.Second); n > 0 && err == nil && time.Now().Before(end) && ctx.Err() == nil; n, err = sessions() {
		time.Sleep(20 * time.Millisecond)
	}
	if n != 0 || err != nil {
		t.Errorf("%s: %d sessions are left, %v", kind, n, err)
	}
}

// counted counts the requests of a login.
type counted struct {
	iscsi.Pipe
	sent int
}

func (c *counted) Send(ctx context.Context, p *iscsi.PDU) error {
	c.sent++
	return c.Pipe.Send(ctx, p)
}

// TestReinstatement: tgtd ends the old session of a name and ISID only if the login has a security
// stage, and gotgt never does. For LIO see TestLIO.
func TestReinstatement(t *testing.T) {
	t.Parallel()
	ns, _ := testNamespace(t)
	ctx := testContext(t)
	for kind, start := range starters(ns) {
		c := Config{Name: "iqn.2007-01.com.example:" + kind, Portal: netip.MustParseAddrPort(hostAddress + ":3260"), LUNs: map[int]string{1: testImage(t)}}
		target, err := start(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, security := range []bool{false, true} {
			if got, want := twice(ctx, t, ns, c, security), kind == "tgtd" && security; got != want {
				t.Errorf("%s, security stage %v: the old session is ended: %v, want %v", kind, security, got, want)
			}
		}
		if tgtd, ok := target.(*Tgtd); ok {
			noneLeft(ctx, t, kind, func() (int, error) { return tgtd.Sessions(ctx) })
		}
		if err := target.Stop(); err != nil {
			t.Error(err)
		}
	}
}
