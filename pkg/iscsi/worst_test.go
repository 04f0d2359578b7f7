package iscsi_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// TestWorstPeer runs every scenario over an in-memory pipe and over TCP: each has its outcome, in
// time, with a printable error.
func TestWorstPeer(t *testing.T) {
	for _, s := range iscsitest.Scenarios() {
		t.Run("pipe/"+s.Name, func(t *testing.T) {
			conn, wait := s.Script.Start()
			play(t, &s, conn)
			if _, err := wait(); err != nil && s.Name != "too slow" {
				t.Errorf("target: %v", err)
			}
		})
		t.Run("tcp/"+s.Name, func(t *testing.T) {
			srv, err := iscsitest.Listen(func(conn net.Conn) error {
				_, err := s.Script.Serve(conn)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			play(t, &s, conn)
		})
	}
}

// play logs in once.
func play(t *testing.T, s *iscsitest.Scenario, conn net.Conn) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	res, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), s.Config())
	if got := iscsitest.Outcome(err); got != s.Want {
		t.Errorf("%s: got %s (%v), want %s", s.Row, got, err, s.Want)
	}
	if err != nil {
		printable(t, err.Error())
		return
	}
	if got := strings.Join(res.Warnings, "\n"); !strings.Contains(got, s.Warning) || (got == "") != (s.Warning == "") {
		t.Errorf("%s: warnings %q, want %q", s.Row, got, s.Warning)
	}
	if res.Mutual != s.Mutual || (res.Algorithm != 0) != (s.OneWay || s.Mutual) {
		t.Errorf("%s: authenticated by %v, mutual %v", s.Row, res.Algorithm, res.Mutual)
	}
}

func printable(t *testing.T, msg string) {
	t.Helper()
	if len(msg) > 2048 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("unfit for a log: %q", msg)
	}
}

// TestWorstPeerRows: every row of the design's table of login faults that a target can have, and
// every group of the conformance suites, has a scenario.
func TestWorstPeerRows(t *testing.T) {
	rows := []string{
		"2b: RST/FIN before/after each login PDU n", "2b: Slow login (1 B/s)", "2b: Response dropped",
		"2b: Wrong opcode / Reject / Async during login", "2b: Bad ITT", "2b: StatSN not +1",
		"2b: CSG mismatch / NSG <= CSG / NSG=2 / T without the initiator's T", "2b: T=1 and C=1", "2b: C=1 partial text",
		"2b: Data > 8192 or wrong padding, AHS != 0", "2b: Key not NUL-terminated", "2b: Version != 0",
		"2b: Endless T=0 ping-pong", "2b: Redirect 0101/0102", "2b: 0201/0202 auth/ACL", "2b: 0203 not found, 0204 removed, 0207",
		"2b: 0205/0208/0209/020b", "2b: 0206 too many conns", "2b: 020a session does not exist", "2b: 0300/0301/0302",
		"UNH: T bit", "UNH: C bit", "UNH: StatSN", "UNH: TSIH", "UNH: negotiate once", "UNH: invalid keys", "UNH: invalid values", "UNH: invalid PDU",
		"UNH: digests", "UNH: bursts", "UNH: booleans", "UNH: AuthMethod", "UNH: CHAP values valid", "UNH: CHAP values invalid",
		"UNH: CHAP values out of order", "UNH: CHAP values too big", "UNH: CHAP values too small", "UNH: CHAP values reflected",
	}
	all := iscsitest.Scenarios()
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.Name] || s.Want == "" {
			t.Errorf("%q a second time, or without an outcome", s.Name)
		}
		seen[s.Name] = true
	}
	for _, row := range rows {
		found := false
		for _, s := range all {
			found = found || strings.HasPrefix(s.Row, row)
		}
		if !found {
			t.Errorf("no scenario for %s", row)
		}
	}
}

// TestReset: a TCP reset in answer to the list of algorithms means the same as a close.
func TestReset(t *testing.T) {
	reset := func(cfg iscsi.LoginConfig, script iscsitest.Script) error {
		srv, err := iscsitest.Listen(func(conn net.Conn) error {
			_, err := script.Serve(conn)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		conn, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = iscsi.Login(limited(t), iscsi.NewTCPPipe(conn), cfg)
		return err
	}
	var list *iscsi.AlgorithmsError
	if err := reset(withCHAP(oneWay()), iscsitest.Script{method, iscsitest.Reset()}); !errors.As(err, &list) {
		t.Errorf("got %v", err)
	}
}
