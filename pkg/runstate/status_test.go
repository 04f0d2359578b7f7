package runstate

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Format writes the whole file, which the agent writes in two parts.
func (s *Status) Format() string { return JoinStatus(FormatSinceBoot(s.SinceBoot), s.Lines()) }

// whole is the status of testdata.
func whole() Status {
	p := netip.MustParsePrefix
	return Status{
		SinceBoot: 90 * time.Second,
		Sessions: []SessionStatus{
			{
				SID: 1, Target: "iqn.2007-01.com.example:storage.remote1", State: Down, Owner: OwnerAgent, Outages: 3,
				Longest: 75200 * time.Millisecond, Down: 20 * time.Second, Waits: 57500 * time.Millisecond,
				Portals: []string{"10.77.0.1:3260", "[fd00::1]:3260"}, Causes: []string{"target closed the connection", "connection refused\x1b[2J cause \"x\""},
			},
			{SID: 2, Target: "iqn.b", State: Up, Owner: OwnerISCSID},
			{SID: 3, Target: "iqn.c", State: Ended, Owner: OwnerAgent},
		},
		Legs:   []LegStatus{{SID: 1, Array: "md127"}, {SID: 1, Array: "vg-root"}},
		Timers: []TimerStatus{{SID: 1, Seconds: 86400, PutBack: 3, By: "multipathd"}},
		Disks:  []DiskStatus{{SID: 1, Name: "sda", ErrorsFor: 40 * time.Second}},
		Links: []LinkStatus{
			{
				Name: "ens2", MAC: "52:54:00:77:00:01", Address: p("10.77.0.50/24"), Method: dhcp.DHCP4, State: Present, PutBack: 2, Now: []netip.Prefix{p("10.77.0.50/24")},
				Lease: &LeaseStatus{Server: netip.MustParseAddr("10.77.0.1"), Obtained: 5 * time.Second, Renew: 160 * time.Second, Ends: 3705 * time.Second},
			},
			{
				Name: "ens3", MAC: "52:54:00:77:00:02", Address: p("10.0.0.2/24"), Method: dhcp.Static, State: Lost,
				Now: []netip.Prefix{p("10.0.0.9/24"), p("10.0.0.2/24")}, Place: "br0", Temporary: p("10.0.0.2/24"),
			},
			{Name: "ens4", MAC: "52:54:00:77:00:03", Address: p("fd00::2/64"), Method: dhcp.Static, State: Removed, Now: []netip.Prefix{}},
			{Name: "ens5", MAC: "52:54:00:77:00:04", Address: p("10.1.0.2/24"), Method: dhcp.Static, State: Present},
		},
		Replaced: []Replaced{{Half: "supervisor", Times: 1, Reason: "ended", At: 15 * time.Second}, {Half: "worker", Times: 3, Reason: "stopped", At: 88 * time.Second}},
	}
}

// present distinguishes a link without an address from one whose address is unknown.
func present() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}) }

func TestStatus(t *testing.T) {
	text := file(t, "status")
	got, err := ParseStatus(text)
	same(t, whole(), got, err, text, got.Format())
	w := whole()
	parts := FormatSinceBoot(w.SinceBoot) + (&Status{Sessions: w.Sessions, Legs: w.Legs}).Lines() + (&Status{Timers: w.Timers, Disks: w.Disks}).Lines() +
		(&Status{Links: w.Links}).Lines() + (&Status{Replaced: w.Replaced}).Lines()
	if diff := cmp.Diff(text, parts); diff != "" {
		t.Error(diff)
	}
	v, timers, disks := got.Of(1)
	if v.Outages != 3 || len(timers) != 1 || len(disks) != 1 || got.Age(100*time.Second) != 10*time.Second || got.Age(0) != 0 {
		t.Errorf("%+v %v %v", v, timers, disks)
	}
	if v, timers, disks := got.Of(9); v.State != "" || timers != nil || disks != nil {
		t.Errorf("%+v %v %v", v, timers, disks)
	}
}

// What is damaged or not known is left out.
func TestParseStatus(t *testing.T) {
	for text, want := range map[string]Status{
		"": {},
		"version 1\nsince-boot x\nsession x target a\nsession 1 colour blue\ncolour blue sky high\nlease e from 10.0.0.1 since 1\nlink\n": {},
		"session 1 cause \"\nsession 1 cause no\nsession 1 cause \"\"\nsession 1 waits -4\n":                                              {Sessions: []SessionStatus{{SID: 1}}},
		"session 1 target a colour blue state up outages 99999999999\n":                                                                   {Sessions: []SessionStatus{{SID: 1, Target: "a", State: Up, Outages: 1<<31 - 1}}},
		"session 1 timer x put-back y\nsession 1 disk sda errors-for NaN\n":                                                               {Timers: []TimerStatus{{SID: 1}}, Disks: []DiskStatus{{SID: 1, Name: "sda"}}},
		"link e mac m address invalid Prefix by dhcp state there now x\nlease e from invalid IP since 1e99 renew 1 ends 2\n": {Links: []LinkStatus{
			{Name: "e", MAC: "m", Method: dhcp.DHCP4, State: Present, Now: []netip.Prefix{}, Lease: &LeaseStatus{Renew: time.Second, Ends: 2 * time.Second}},
		}},
		"agent x replaced\nagent worker replaced x\n": {Replaced: []Replaced{{Half: "worker"}}},
	} {
		got, err := ParseStatus(text)
		if diff := cmp.Diff(want, got, present()); diff != "" || err != nil {
			t.Errorf("%q: error %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"version 2\n", "version\t0\n"} {
		if _, err := ParseStatus(text); !errors.Is(err, errVersion) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseStatus(strings.Repeat("#", maxText+1)); err == nil {
		t.Error("there is no limit")
	}
}

// A word of the agent's never breaks its line.
func TestWords(t *testing.T) {
	s := Status{
		Sessions: []SessionStatus{{SID: 1, Target: "a b", State: Up, Portals: []string{"x\ny"}}},
		Timers:   []TimerStatus{{SID: 1, By: "a b\n"}}, Links: []LinkStatus{{Name: "e\u2028f"}},
	}
	const want = "session 1 target a_b state up owner - outages 0 longest 0.0 down 0.0\nsession 1 portal x_y\nsession 1 timer 0 put-back 0 by a_b\n" +
		"link e_f mac - address invalid Prefix by - state - put-back 0\n"
	if diff := cmp.Diff(want, s.Lines()); diff != "" {
		t.Error(diff)
	}
}

// The law from the value: a status that was written is read back, up to the limits.
func FuzzStatus(f *testing.F) {
	f.Add([]byte("since\x03 sessions, and links of this machine and whatever is to be told of them"))
	w := whole()
	f.Add([]byte(w.Format()))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := source{b}.status()
		got, err := ParseStatus(want.Format())
		for i := range want.Sessions {
			v := &want.Sessions[i]
			v.Portals, v.Causes = upTo(maxPortals, v.Portals), upTo(maxCauses, v.Causes)
			for j, cause := range v.Causes {
				v.Causes[j] = cause[:min(len(cause), maxCause)]
			}
		}
		if diff := cmp.Diff(want, got, present()); diff != "" || err != nil {
			t.Errorf("error %v, -written +read:\n%s", err, diff)
		}
		if s, err := ParseStatus(string(b)); err == nil {
			again, err := ParseStatus(s.Format())
			if diff := cmp.Diff(s.Format(), again.Format()); diff != "" || err != nil {
				t.Errorf("error %v, -read +again:\n%s", err, diff)
			}
		}
	})
}

func (s source) status() Status {
	out := Status{SinceBoot: s.seconds()}
	for i := range s.count() {
		v := SessionStatus{
			SID: uint32(i), Target: s.name(), State: s.name(), Owner: s.name(), Outages: s.int(), Longest: s.tenths(), Down: s.tenths(), Waits: s.tenths(),
		}
		for range s.many(maxPortals) {
			v.Portals = append(v.Portals, s.name())
		}
		for range s.many(maxCauses) {
			v.Causes = append(v.Causes, strings.Repeat(s.text()+"!", 1+s.many(maxCause)/32))
		}
		out.Sessions = append(out.Sessions, v)
		out.Timers = append(out.Timers, TimerStatus{SID: s.uint32(), Seconds: s.uint32(), PutBack: s.int(), By: s.name()})
		out.Disks = append(out.Disks, DiskStatus{SID: s.uint32(), Name: s.name(), ErrorsFor: s.seconds()})
	}
	for range s.count() {
		l := LinkStatus{
			Name: "e" + s.name(), MAC: s.name(), Address: s.prefix(), Method: dhcp.Method(s.name()), State: s.name(), PutBack: s.int(), Place: s.name(), Temporary: s.prefix(),
		}
		if s.bool() {
			l.Now = []netip.Prefix{}
			for range s.count() {
				l.Now = append(l.Now, s.valid())
			}
		}
		if s.bool() {
			l.Lease = &LeaseStatus{Server: s.addr(), Obtained: s.seconds(), Renew: s.seconds(), Ends: s.seconds()}
		}
		out.Links = append(out.Links, l)
		out.Replaced = append(out.Replaced, Replaced{Half: "h" + s.name(), Times: s.int(), Reason: s.name(), At: s.seconds()})
	}
	return out
}
