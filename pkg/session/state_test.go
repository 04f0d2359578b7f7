package session

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

func testState(sid uint32) State {
	group := uint16(3)
	return State{
		Record: Record{
			SID: sid, HostNo: 2, ISID: [6]byte{0, 2, 0x3d, 0, 0, byte(sid)}, Initiator: initiator, Target: targetName + "\n\"",
			Portals: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3260"), netip.MustParseAddrPort("[fe80::1%eth0]:3261")},
			Portal:  netip.MustParseAddrPort("[fe80::1%eth0]:3261"), TPGT: 7,
			Way: Way{Device: "vrf \"0", Source: netip.MustParseAddr("fe80::2%eth0")},
		},
		Group: &group, HeaderDigest: iscsi.RequireDigest, DataDigest: iscsi.PreferDigest,
		CHAP: &iscsi.CHAP{
			User: "me", Secret: iscsi.NewSecret([]byte("a secret of 16 B")), TargetUser: "you",
			TargetSecret: iscsi.NewSecret([]byte{0, 1, '\n'}), Algorithms: []iscsi.Algorithm{iscsi.SHA256, iscsi.MD5},
		},
		UnscannedLUNs: []uint64{0, 3}, FormerSID: 77,
		Timers: Timers{Recovery: 600, PingInterval: 0, PingTimeout: 7, Queue: 1200}, NIC: "52:54:00:12:34:56", Due: true,
	}
}

// values compares types with unexported fields.
func values() []cmp.Option {
	return []cmp.Option{
		cmp.Comparer(func(a, b iscsi.Secret) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
}

// written is the text of states.
func written(t *testing.T, states ...State) []byte {
	t.Helper()
	var b []byte
	var err error
	for _, st := range states {
		if b, err = AppendState(b, st); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestStates(t *testing.T) {
	plain := testState(1)
	plain.CHAP, plain.Group, plain.Portal, plain.UnscannedLUNs, plain.FormerSID, plain.Way, plain.NIC, plain.Timers.Queue = nil, nil, netip.AddrPort{}, nil, 0, Way{}, "", 0
	want := []State{plain, testState(0x123456)}
	want[1].ISID = [6]byte{0, 2, 0x3d, 0x12, 0x34, 0x56}
	got, err := ParseStates(written(t, want...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, values()...); diff != "" {
		t.Error(diff)
	}
}

// Each damaged state is an error, which does not contain the damaged line.
func TestDamagedStates(t *testing.T) {
	whole := string(written(t, testState(1)))
	for name, text := range map[string]string{
		"cut":             whole[:len(whole)-5],
		"no target":       strings.Replace(whole, "target ", "tarzan ", 1),
		"no secret":       strings.Replace(whole, "\nsecret 61", "\nsecret zz", 1),
		"empty":           "end\n",
		"a negative time": strings.Replace(whole, "recovery-tmo 600", "recovery-tmo 4294967295", 1),
		"number too big":  strings.Replace(whole, "tpgt 7", "tpgt 70000", 1),
		"no portals":      strings.ReplaceAll(whole, "portal ", "at "),
		"too many":        strings.Repeat(whole, MaxStates+1),
		"too many portal": strings.Replace(whole, "tpgt 7\n", strings.Repeat("portal \"1.2.3.4:5\"\n", MaxPortals), 1),
		"no address":      strings.Replace(whole, "source \"fe80", "source \"fe8g", 1),
		"device too long": strings.Replace(whole, "device \"vrf", "device \"a-vrf-of-a-name", 1),
		"unknown key":     strings.Replace(whole, "end\n", "colour 61\nend\n", 1),
		"algorithms":      strings.Replace(whole, "end\n", strings.Repeat("algorithm 5\n", 8)+"end\n", 1),
	} {
		if _, err := ParseStates([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "zz") || strings.Contains(err.Error(), "61") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The error of a damaged state has the number of its line.
func TestDamagedStateLine(t *testing.T) {
	one := string(written(t, testState(1)))
	lines := strings.Count(one, "\n")
	for text, want := range map[string]string{
		strings.Replace(one, "end\n", "colour\nend\n", 1): fmt.Sprintf("line %d: ", lines),
		"colour\n" + one:                     "line 1: ",
		one + "end\n":                        fmt.Sprintf("line %d: ", lines+1),
		strings.Repeat(one, MaxStates) + one: fmt.Sprintf("line %d: ", MaxStates*lines+1),
		one + strings.Replace(one, "\nend\n", "\n", 1) + "end": "no error",
	} {
		if _, err := ParseStates([]byte(text)); err == nil && want != "no error" || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Another process logs in to the session relogin: it stops the connection first, and the ISID on
// the wire is the same.
func TestReopen(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	k := kerneltest.New()
	k.FirstSID = 0x010202
	tr := k.Transport()
	t.Cleanup(func() { k.Close(); _ = tr.Close() })
	first := startSession(t, tr, Config{Initiator: initiator, Target: specOf(tg.portal)})
	if _, err := first.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	states, err := ParseStates(written(t, first.State()))
	if err != nil {
		t.Fatal(err)
	}
	before := len(k.Requests())
	s := Reopen(tr, states[0])
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Relogin(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	got := steps(k.Requests()[before:])
	if got[0] != "stop 3" || got[1] != "bind, leading 1" || got[len(got)-1] != "start" {
		t.Errorf("requests %q", got)
	}
	if s.Portal != tg.portal {
		t.Errorf("at %v", s.Portal)
	}
	k.Close()
	for i, login := range tg.logins(t) {
		if got := login[0].ISID; got != first.ISID || len(login) != 2 {
			t.Errorf("login %d: ISID %x, %d requests", i, got, len(login))
		}
	}
}

// Another process stops the connection of the first, once, and sets its timers, which a connection
// that is stopped refuses. A session that was never logged in has none.
func TestReopenedConnection(t *testing.T) {
	tg := startTarget(t, welcome)
	k := kerneltest.New()
	stopped := false
	k.Refuse = func(r kerneltest.Request) unix.Errno {
		if r.Type == kerneltest.SetParam && stopped {
			return unix.ENOTCONN
		}
		return 0
	}
	tr := k.Transport()
	t.Cleanup(func() { k.Close(); _ = tr.Close() })
	first := startSession(t, tr, Config{Initiator: initiator, Target: specOf(tg.portal)})
	if _, err := first.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(k.Requests())
	s := Reopen(tr, first.State())
	for range 2 {
		if err := errors.Join(s.SetTimers(t.Context()), s.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	stopped = true
	if err := Reopen(tr, first.State()).SetTimers(t.Context()); err != nil {
		t.Errorf("timers of a connection that is stopped: %v", err)
	}
	never := first.State()
	never.Portal = netip.AddrPort{}
	if err := Reopen(tr, never).Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := steps(k.Requests()[before:]), []string{"set 30 30", "set 31 15", "stop 3", "set 30 30"}; !slices.Equal(got, want) {
		t.Errorf("requests %q, want %q", got, want)
	}
}

// A session that was made in the place of another one ends that at the target, by a login with its
// ISID, before its own first login, and is scanned anew; the next login does neither.
func TestRenewed(t *testing.T) {
	target := &iscsitest.Target{Name: targetName}
	isids := make(chan [6]byte, 10)
	portal := watched(t, target, func(all []opened) { isids <- all[len(all)-1].isid })
	k := kerneltest.New()
	k.FirstSID = 0x010202
	tr := k.Transport()
	t.Cleanup(func() { k.Close(); _ = tr.Close() })
	first := startSession(t, tr, Config{Initiator: initiator, Target: specOf(portal)})
	if _, err := first.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh, err := Reserve(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	old := first.State()
	states, err := ParseStates(written(t, old.Renewed(fresh, []uint64{2})))
	if err != nil {
		t.Fatal(err)
	}
	s := Reopen(tr, states[0])
	if s.SID != fresh.SID || s.HostNo != fresh.HostNo || s.ISID == old.ISID || s.Target != old.Target || s.At().IsValid() || !s.State().Due {
		t.Errorf("renewed: %+v", s.Record)
	}
	order := [][6]byte{<-isids}
	for i := range 2 {
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Relogin(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		want := [][6]byte{old.ISID, old.ISID, s.ISID, s.ISID}
		for len(order) < 3+i { // the target counts a session after its response
			order = append(order, <-isids)
		}
		if !slices.Equal(order, want[:3+i]) {
			t.Errorf("login %d: sessions %x, want %x", i, order, want[:3+i])
		}
	}
	if got := s.State(); got.FormerSID != 0 || len(isids) > 0 {
		t.Errorf("the former session is to be ended again: %+v", got)
	}
}
