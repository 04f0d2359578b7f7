package agent

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

func testState() State {
	var kept disks.Memory
	for key, values := range map[string]string{"retries": "2:0:0:1 4711 5 true false", "timer": `1 3 "multipathd"`} {
		if known, err := kept.Line(key, values); !known || err != nil {
			panic(err)
		}
	}
	var maps paths.Memory
	for key, values := range map[string]string{"map": `"36001" 77 true`, "path": `"36001" "8:16" 3 true 9`} {
		if known, err := maps.Line(key, values); !known || err != nil {
			panic(err)
		}
	}
	return State{
		Disks: kept, Paths: maps, WWIDs: []multipath.ID{"36001", "1IET \"x"}, MirrorTimeout: 20 * time.Second,
		Replacing: &Replacing{SID: 1, Workers: []int{4711, 4712}, LUNs: []uint64{0, 1 << 40}, Arrays: []string{"md0", "vg-root"}},
		Legs:      []Leg{{SID: 2, Arrays: []string{"md127"}}},
		Sessions: []session.State{{
			Record: session.Record{
				SID: 1, ISID: [6]byte{0, 2, 0x3d, 0, 0, 1}, Initiator: "iqn.i:i", Target: "iqn.t:t",
				Portals: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3260")},
			},
			CHAP: &iscsi.CHAP{User: "u", Secret: iscsi.NewSecret([]byte("open sesame"))},
		}},
		Uplinks: []uplink.Uplink{{Index: 2, MAC: "52:54:00:77:00:01", Identity: uplink.Identity{
			Known: true, Permanent: "52:54:00:77:00:02", Kind: "vlan", VLAN: 5, Parent: "52:54:00:77:00:03",
		}, Keep: true, Temporary: true, Lease: dhcp.Lease{
			Interface: "eth0", Method: dhcp.DHCP4, Address: netip.MustParsePrefix("10.0.0.2/24"), Server: netip.MustParseAddr("10.0.0.1"),
			ClientID: []byte{255, 1}, Obtained: 3 * time.Second, Lifetime: 2 * time.Minute, Renew: time.Minute, Rebind: 105 * time.Second,
			Routes: []dhcp.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
		}}},
		Past: []recovery.Status{{SID: 1, Outages: 3, Longest: time.Minute, Down: 10 * time.Second, Cause: `a "cause"`, LastErr: "refused", NotBefore: 3 * time.Second, Forced: true, Refused: 2}, {SID: 2, Up: true}},
		At:   time.Hour,
	}
}

// text is a state's.
func text(t *testing.T, s State) []byte {
	t.Helper()
	b, err := s.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares what cmp cannot look into.
func same() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(iscsi.Secret.Equal), cmp.Comparer(disks.Memory.Equal), cmp.Comparer(paths.Memory.Equal),
		cmpopts.EquateEmpty(),
	}
}

func TestState(t *testing.T) {
	want := testState()
	got, err := parseState(text(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, same()); diff != "" {
		t.Error(diff)
	}
}

// The time between two workers counts to an outage and to its pause, which ends at 0. A session
// that is up or was ended has neither, and a clock that went back changes nothing.
func TestPastAfterRestart(t *testing.T) {
	const s = time.Second
	state := State{At: time.Hour, Past: []recovery.Status{
		{SID: 1, Down: 10 * s, NotBefore: 30 * s},
		{SID: 2, Down: 10 * s, NotBefore: 3 * s},
		{SID: 3, Up: true, NotBefore: 30 * s},
		{SID: 4, Ended: true, Down: 10 * s, NotBefore: 30 * s},
	}}
	for after, want := range map[time.Duration][]time.Duration{ // Down and NotBefore of each
		5 * s:  {15 * s, 25 * s, 15 * s, 0, 0, 30 * s, 10 * s, 30 * s},
		0:      {10 * s, 30 * s, 10 * s, 3 * s, 0, 30 * s, 10 * s, 30 * s},
		-5 * s: {10 * s, 30 * s, 10 * s, 3 * s, 0, 30 * s, 10 * s, 30 * s},
	} {
		var got []time.Duration
		for _, p := range state.past(state.At + after) {
			got = append(got, p.Down, p.NotBefore)
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	if p := state.Past[0]; p.Down != 10*s || p.NotBefore != 30*s {
		t.Errorf("the state itself was changed: %+v", p)
	}
}

// line returns the first line of a text with a prefix.
func line(text, prefix string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, prefix) {
			return l
		}
	}
	panic(prefix)
}

// Each damaged state is an error, which contains nothing of the state.
func TestDamagedState(t *testing.T) {
	whole := string(text(t, testState()))
	for name, text := range map[string]string{
		"no sessions": strings.Replace(whole, "sessions\n", "", 1),
		"a number":    strings.Replace(whole, "at 3", "at x", 1),
		"a key":       "wall 3\n" + whole,
		"past":        strings.Replace(whole, "past 1 false", "past 1 perhaps", 1),
		"uplink":      strings.Replace(whole, "uplink 2 \"", "uplink 2 ", 1),
		"a lease":     strings.Replace(whole, "address=", "address=x", 1),
		"a disk":      strings.Replace(whole, "retries \"2:0:0:1\" ", "retries ", 1),
		"a timer":     strings.Replace(whole, "timer 1 3", "timer 1 x", 1),
		"cut":         whole[:len(whole)-4],
		"65 uplinks":  strings.Repeat(line(whole, "uplink "), maxUplinks+1) + "sessions\n",
		"65 past":     strings.Repeat(line(whole, "past "), session.MaxStates+1) + "sessions\n",
	} {
		if _, err := parseState([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "6f70656e") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the error shows a secret", name)
		}
	}
	if _, err := parseState(nil); !errors.Is(err, errState) {
		t.Errorf("nothing at all: %v", err)
	}
	full := strings.Repeat(line(whole, "uplink "), maxUplinks) + strings.Repeat(line(whole, "past "), session.MaxStates) + "sessions\n"
	if s, err := parseState([]byte(full)); err != nil || len(s.Uplinks) != maxUplinks || len(s.Past) != session.MaxStates {
		t.Errorf("as many as are allowed: %d uplinks, %d past, %v", len(s.Uplinks), len(s.Past), err)
	}
}
