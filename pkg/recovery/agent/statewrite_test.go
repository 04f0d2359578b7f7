package agent

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// manyPortals is a session with n portals, of which the last login went to the last.
func manyPortals(sid uint32, n int) session.State {
	st := session.State{Record: session.Record{
		SID: sid, ISID: [6]byte{0, 2, 0x3d, 0, 0, byte(sid)}, Initiator: "iqn." + strings.Repeat("i", 219), Target: "iqn." + strings.Repeat("t", 219),
	}}
	for i := range n {
		addr := netip.AddrFrom16([16]byte{0: 0xfd, 1: 1, 3: 1, 5: 1, 7: 1, 9: 1, 11: 1, 13: 1, 14: byte(i >> 8), 15: byte(i)})
		st.Portals = append(st.Portals, netip.AddrPortFrom(addr, 3260))
	}
	st.Portal = st.Portals[n-1]
	return st
}

// Sixteen names with sixteen addresses each: the state is written, stored and read again, with the
// portal of the last login and those that are tried first.
func TestStateOf256Portals(t *testing.T) {
	for _, sessions := range []int{1, 9, session.MaxStates} {
		want := State{}
		for i := range sessions {
			want.Sessions = append(want.Sessions, manyPortals(uint32(i+1), 16*16))
		}
		m := newMemory(t)
		if err := m.keep(text(t, want)); err != nil {
			t.Fatal(err)
		}
		b, err := m.load()
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseState(b)
		if err != nil || len(got.Sessions) != sessions {
			t.Fatalf("%d sessions: %d, %v", sessions, len(got.Sessions), err)
		}
		n := len(got.Sessions[0].Portals)
		if least := min(session.MaxPortals, 64*9/sessions/2); n < least || len(b) > maxState {
			t.Errorf("%d sessions: %d portals in %d bytes", sessions, n, len(b))
		}
		for i, st := range got.Sessions {
			all := want.Sessions[i]
			if st.Portal != all.Portal || !slices.Equal(st.Portals, append([]netip.AddrPort{all.Portal}, all.Portals[:n-1]...)) {
				t.Errorf("%d sessions: at %v, portals %v", sessions, st.Portal, st.Portals)
			}
		}
	}
}

// What is beyond a limit is cut off; what cannot be cut is an error, and nothing is written.
func TestStateBeyondLimits(t *testing.T) {
	s := State{
		Uplinks: slices.Repeat([]uplink.Uplink{{Index: 3}}, maxUplinks+1), Past: slices.Repeat([]recovery.Status{{SID: 4}}, session.MaxStates+1),
		Sessions: slices.Repeat([]session.State{manyPortals(1, 1)}, session.MaxStates),
	}
	s.Past[0].Cause, s.Past[0].LastErr = strings.Repeat("x", maxCause+1), strings.Repeat("\x00", 4000)
	got, err := parseState(text(t, s))
	if err != nil || len(got.Uplinks) != maxUplinks || len(got.Past) != session.MaxStates || len(got.Past[0].Cause) != maxCause || len(got.Past[0].LastErr) != maxCause {
		t.Errorf("%d uplinks, %d past, %v", len(got.Uplinks), len(got.Past), err)
	}
	for want, spoil := range map[string]func(){
		"the agent's state: 65 sessions, limit 64": func() { s.Sessions = append(s.Sessions, s.Sessions[0]) },
		"bytes, limit 65536":                       func() { s.Uplinks[0].MAC = strings.Repeat("x", maxState) },
		"session 1: 0 portals":                     func() { s.Sessions[0].Portals = nil },
	} {
		old, uplinks := slices.Clone(s.Sessions), slices.Clone(s.Uplinks)
		spoil()
		if b, err := s.Append([]byte("before")); err == nil || !strings.Contains(err.Error(), want) || string(b) != "before" {
			t.Errorf("%s: %v", want, err)
		}
		s.Sessions, s.Uplinks = old, uplinks
	}
}

// The law from the value: a state is written so that it is read back, but for what is above a
// limit, or refused. The law from the text: one that was read is written to be read the same.
func FuzzState(f *testing.F) {
	b, err := testState().Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("at 1\nsessions\n"))
	f.Add([]byte("\x05\x46\x03\x41\x01text\x09\x10"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := stateOf(b)
		b1, err := want.Append(nil)
		if err != nil && len(want.Sessions) <= session.MaxStates {
			t.Fatal(err)
		}
		if err == nil {
			checkState(t, want, b1)
		}
		s, err := parseState(b)
		if err != nil {
			return
		}
		b2, err := s.Append(nil)
		if err != nil { // quotes may make it longer than a text that was just short enough
			return
		}
		checkState(t, s, b2)
	})
}

// checkState compares a state with what is read of its text.
func checkState(t *testing.T, want State, b []byte) {
	t.Helper()
	got, err := parseState(b)
	if err != nil {
		t.Fatalf("%v of\n%s", err, b)
	}
	want.Uplinks = slices.Clone(want.Uplinks[:min(len(want.Uplinks), maxUplinks)])
	for i := range want.Uplinks {
		want.Uplinks[i].Lease.RootPath = want.Uplinks[i].Lease.ShownRootPath()
	}
	want.Past = slices.Clone(want.Past[:min(len(want.Past), session.MaxStates)])
	for i := range want.Past {
		want.Past[i].Cause, want.Past[i].LastErr = cutCause(want.Past[i].Cause), cutCause(want.Past[i].LastErr)
	}
	want.WWIDs = want.WWIDs[:min(len(want.WWIDs), maxWWIDs)]
	want.Legs = slices.Clone(want.Legs[:min(len(want.Legs), session.MaxStates)])
	for i := range want.Legs {
		want.Legs[i].Arrays = want.Legs[i].Arrays[:min(len(want.Legs[i].Arrays), maxArrays)]
	}
	if r := want.Replacing; r != nil {
		want.Replacing = &Replacing{r.SID, r.Workers[max(0, len(r.Workers)-maxWorkers):], r.LUNs[:min(len(r.LUNs), session.MaxLUNs)], r.Arrays[:min(len(r.Arrays), maxArrays)]}
	}
	want.Sessions = slices.Clone(want.Sessions)
	for i := range want.Sessions {
		if i < len(got.Sessions) {
			want.Sessions[i] = want.Sessions[i].Bounded(max(1, len(got.Sessions[i].Portals)))
		}
	}
	if diff := cmp.Diff(want, got, same()); diff != "" {
		t.Error(diff)
	}
}

// stateOf makes a state of a fuzzer's bytes; behind their end are zeros. Each limit but that of the
// bytes can be passed.
func stateOf(b []byte) State {
	take := func(n int) []byte {
		out := make([]byte, n)
		b = b[copy(out, b):]
		return out
	}
	number := func() uint32 { return binary.LittleEndian.Uint32(take(4)) }
	count := func(limit int) int { // most often a few, for speed
		if n := int(take(1)[0]); n >= 0xfd {
			return limit + n - 0xfe
		} else {
			return n % 4
		}
	}
	texts := func() string { return string(take(int(take(1)[0] % 20))) }
	s := State{At: time.Duration(number())}
	var more []session.State
	for i := range count(session.MaxStates) {
		st := manyPortals(uint32(i+1), 1+count(session.MaxPortals))
		st.CHAP = &iscsi.CHAP{User: texts(), Secret: iscsi.NewSecret([]byte("x" + texts()))}
		more = append(more, st)
	}
	s.Sessions = more
	for range count(maxUplinks) {
		s.Uplinks = append(s.Uplinks, uplink.Uplink{
			Index: int(number()), MAC: texts(), Identity: uplink.Identity{Known: take(1)[0]&1 == 0, Permanent: texts(), Kind: texts(), VLAN: int(number()), Parent: texts()},
			Keep: take(1)[0]&1 == 0, Temporary: take(1)[0]&1 == 0, Lease: dhcp.Lease{Interface: texts(), MTU: int(take(1)[0]), Domain: texts(), Obtained: time.Duration(number())},
		})
	}
	for range count(session.MaxStates) {
		s.Past = append(s.Past, recovery.Status{
			SID: number(), Up: take(1)[0]&1 == 0, Ended: take(1)[0]&1 == 0, Outages: int(number()), Longest: time.Duration(number()),
			Cause: strings.Repeat(texts(), count(maxCause/8)), LastErr: texts(), Refused: int(number()),
		})
	}
	arrays := func() (names []string) {
		for range count(maxArrays) {
			names = append(names, fmt.Sprint("md", number()))
		}
		return names
	}
	s.MirrorTimeout = time.Duration(number())
	for range count(maxWWIDs) {
		s.WWIDs = append(s.WWIDs, multipath.ID(texts()))
	}
	for range count(session.MaxStates) {
		s.Legs = append(s.Legs, Leg{number(), arrays()})
	}
	if take(1)[0]&1 != 0 {
		s.Replacing = &Replacing{SID: number(), Arrays: arrays()}
		for range count(maxWorkers) {
			s.Replacing.Workers = append(s.Replacing.Workers, int(number()))
		}
		for range count(session.MaxLUNs) {
			s.Replacing.LUNs = append(s.Replacing.LUNs, uint64(number())<<32)
		}
	}
	return s
}
