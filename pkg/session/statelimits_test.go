package session

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// portalList returns n portals.
func portalList(n int) []netip.AddrPort {
	var out []netip.AddrPort
	for i := range n {
		out = append(out, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 3260))
	}
	return out
}

// addressesOf are the names of a zone and how many addresses each has.
type addressesOf int

func (n addressesOf) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var name byte
	if _, err := fmt.Sscanf(host, "san%d", &name); err != nil {
		return nil, err
	}
	var out []netip.Addr
	for i := range int(n) {
		out = append(out, netip.AddrFrom4([4]byte{10, 1, name, byte(i)}))
	}
	return out, nil
}

// Sixteen names with sixteen addresses: all are tried; the state contains an equal share of each
// name, and the portal of the last login.
func TestManyPortals(t *testing.T) {
	k := kerneltest.New()
	tr := k.Transport()
	t.Cleanup(func() { k.Close(); _ = tr.Close() })
	target := specOf(netip.MustParseAddrPort("10.0.0.1:3260"))
	target.Portals = nil
	for i := range 16 {
		target.Portals = append(target.Portals, bootspec.Value[bootspec.Portal]{V: bootspec.Portal{Host: fmt.Sprint("san", i), Port: 3260}})
	}
	s := startSession(t, tr, Config{Initiator: initiator, Target: target, Resolver: addressesOf(16)})
	last := netip.MustParseAddrPort("10.1.15.15:3260")
	s.Portal = last
	all, lost := s.addresses(t.Context())
	if len(all) != 256 || len(lost) != 0 {
		t.Fatalf("%d addresses are tried, %v", len(all), lost)
	}
	states, err := ParseStates(written(t, s.State()))
	if err != nil {
		t.Fatal(err)
	}
	kept := states[0].Portals
	if len(kept) != MaxPortals || kept[0] != last || states[0].Portal != last {
		t.Fatalf("%d portals are kept, the first is %v", len(kept), kept[0])
	}
	for i := range byte(16) {
		n := 0
		for _, p := range kept {
			if p.Addr().As4()[2] == i {
				n++
			}
		}
		if n < 3 {
			t.Errorf("name %d has %d addresses left", i, n)
		}
	}
}

// After many redirects the newest portals are kept, and that of the last login.
func TestManyRedirects(t *testing.T) {
	s := &Session{}
	all := portalList(300)
	for i := 0; i < len(all); i += 3 {
		s.Portal = all[i]
		s.recordRedirect(all[i : i+3])
	}
	if len(s.Portals) != MaxPortals || !slices.Equal(s.Portals[:3], all[297:]) {
		t.Errorf("%d portals, %v", len(s.Portals), s.Portals[:3])
	}
	s.Portal = all[200]
	s.recordRedirect(all[:201])
	if len(s.Portals) != MaxPortals || len(s.redirectedTo) != MaxPortals || s.Portals[0] != all[200] || s.redirectedTo[0] != all[200] {
		t.Errorf("%d portals, of %d the target has moved to", len(s.Portals), len(s.redirectedTo))
	}
}

func TestBounded(t *testing.T) {
	all := portalList(5)
	for _, tt := range []struct {
		last netip.AddrPort
		n    int
		want []netip.AddrPort
	}{
		{all[4], 5, all},
		{all[1], 3, all[:3]},
		{netip.AddrPort{}, 3, all[:3]},
		{all[4], 3, []netip.AddrPort{all[4], all[0], all[1]}},
		{all[4], 1, all[4:]},
	} {
		st := State{Record: Record{Portals: slices.Clone(all), Portal: tt.last}}
		if got := st.Bounded(tt.n).Portals; !slices.Equal(got, tt.want) || !slices.Equal(st.Portals, all) {
			t.Errorf("%v, %d: %v", tt.last, tt.n, got)
		}
	}
}

// A state that the reader refuses is not written.
func TestStateThatIsNotWritten(t *testing.T) {
	for want, spoil := range map[string]func(*State){
		"name of a target": func(st *State) { st.Target = "" },
		"an initiator":     func(st *State) { st.Initiator = "" },
		"0 portals":        func(st *State) { st.Portals = nil },
		"without an addr":  func(st *State) { st.Portals = append(st.Portals, netip.AddrPort{}) },
		"too long":         func(st *State) { st.Way.Device = strings.Repeat("x", 16) },
		"name of a NIC":    func(st *State) { st.NIC = strings.Repeat("x", 18) },
		"a time above":     func(st *State) { st.Timers.Recovery = math.MaxInt32 + 1 },
		"without a secret": func(st *State) { st.CHAP.Secret = iscsi.Secret{} },
		"too many CHAP":    func(st *State) { st.CHAP.Algorithms = slices.Repeat([]iscsi.Algorithm{iscsi.MD5}, 9) },
	} {
		st := testState(7)
		spoil(&st)
		b, err := AppendState([]byte("before"), st)
		if err == nil || !strings.HasPrefix(err.Error(), "state of session 7: ") || !strings.Contains(err.Error(), want) || string(b) != "before" {
			t.Errorf("%s: %v, %q", want, err, b)
		}
	}
}

// A state that is written is read back, with at most MaxPortals portals; a state that was read is
// written so that it is read the same.
func FuzzParseStates(f *testing.F) {
	b, err := AppendState(nil, testState(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("session 1\nend\n"))
	f.Add([]byte("\x46\x00\x03eth \x01\x02a line\n\"\x00\x09\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st := stateOf(b)
		text, err := AppendState(nil, st)
		if want := st.Bounded(MaxPortals); err == nil {
			got, err := ParseStates(text)
			if diff := cmp.Diff([]State{want}, got, values()...); diff != "" || err != nil {
				t.Errorf("error %v, -written +read:\n%s", err, diff)
			}
		} else if want.check() == nil {
			t.Error(err)
		}
		states, err := ParseStates(b)
		if err != nil {
			return
		}
		second, err := ParseStates(written(t, states...))
		if diff := cmp.Diff(states, second, values()...); diff != "" || err != nil {
			t.Errorf("error %v, -read +relogin:\n%s", err, diff)
		}
	})
}

// stateOf makes a state of a fuzzer's bytes, followed by zeros. It can exceed each limit.
func stateOf(b []byte) State {
	take := func(n int) []byte {
		out := make([]byte, n)
		b = b[copy(out, b):]
		return out
	}
	number := func() uint32 { return binary.LittleEndian.Uint32(take(4)) }
	text := func() string { return string(take(int(take(1)[0] % 20))) }
	st := State{Record: Record{Portals: portalList(int(take(1)[0]) % (MaxPortals + 8))}}
	if zone := text(); zone != "" {
		addr := netip.AddrFrom16([16]byte(append([]byte{0xfe, 0x80}, take(14)...))).WithZone(zone)
		st.Portal, st.Way.Source = netip.AddrPortFrom(addr, uint16(number())), addr
		st.Portals = append(st.Portals, st.Portal)
	}
	st.Target, st.Initiator, st.Way.Device = "t"+text(), "i"+text(), text()
	st.SID, st.HostNo, st.TPGT = number(), number(), uint16(number())
	st.ISID = [6]byte{0, 2, 0x3d, byte(st.SID >> 16), byte(st.SID >> 8), byte(st.SID)}
	st.HeaderDigest, st.DataDigest = iscsi.DigestPolicy(take(1)[0]), iscsi.DigestPolicy(take(1)[0])
	st.Timers = Timers{Recovery: number(), PingInterval: number(), PingTimeout: number(), Queue: number()}
	st.NIC = text()
	switch kind := take(1)[0]; {
	case kind&1 != 0:
		st.Due, st.Group = true, new(uint16(number()))
		for range MaxLUNs {
			st.UnscannedLUNs = append(st.UnscannedLUNs, uint64(number())<<32)
		}
		fallthrough
	case kind&2 != 0:
		st.CHAP = &iscsi.CHAP{User: text(), Secret: iscsi.NewSecret([]byte(text())), TargetUser: text(), TargetSecret: iscsi.NewSecret([]byte(text()))}
		for range take(1)[0] % (maxAlgorithms + 2) {
			st.CHAP.Algorithms = append(st.CHAP.Algorithms, iscsi.Algorithm(take(1)[0]))
		}
	}
	return st
}

// A session is marked for as many LUNs as its state has room for.
func TestMarkUnscannedLimit(t *testing.T) {
	s := &Session{}
	s.MarkUnscanned(make([]uint64, MaxLUNs+1)...)
	if n := len(s.State().UnscannedLUNs); n != MaxLUNs {
		t.Errorf("%d LUNs", n)
	}
}
