package runstate

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// file is one of testdata: those of testdata/machine are a machine's, the others written by hand in
// that form. The lease has the values of integration/testdata/transcripts/dhcp.txt.
func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// same compares what was read of a file, and the file with what is written of that.
func same(t *testing.T, want, got any, err error, text, again string) {
	t.Helper()
	if diff := cmp.Diff(want, got, equal()); diff != "" || err != nil {
		t.Errorf("error %v, -want +got:\n%s", err, diff)
	}
	if diff := cmp.Diff(text, again); diff != "" {
		t.Errorf("-read +written:\n%s", diff)
	}
}

func TestSessions(t *testing.T) {
	text := file(t, "sessions")
	got, err := ParseSessions(text)
	const initiator = "iqn.2007-01.com.example:server.remote1"
	same(t, []Session{
		{SID: 1, Initiator: initiator, Target: "iqn.2007-01.com.example:storage.remote1", Portal: netip.MustParseAddrPort("10.77.0.1:3260"), Root: true},
		{SID: 2, Initiator: initiator, Target: "iqn.2007-01.com.example:storage.remote2", Portal: netip.MustParseAddrPort("[fd00:77::1]:3260")},
		{SID: 3, Initiator: initiator, Target: "iqn.2007-01.com.example:storage.unresolved"},
	}, got, err, text, FormatSessions(got))
}

// A session is read by its id, with any other words in its line.
func TestParseSessions(t *testing.T) {
	for text, want := range map[string][]Session{
		"": nil,
		"# comment\nversion 1\nsession 3 target iqn.a portal x initiator iqn.b root\nsession 4 target iqn.c\nsession x\nsession\ncolour blue\n": {
			{SID: 3, Target: "iqn.a", Initiator: "iqn.b", Root: true}, {SID: 4, Target: "iqn.c"},
		},
		"session 5":                         {{SID: 5}},
		"session 6 colour blue target iqn.": {{SID: 6, Target: "iqn."}},
		"session 7 initiator root\n":        {{SID: 7, Initiator: "root"}},
		"session 4294967296 target a":       nil,
	} {
		got, err := ParseSessions(text)
		if diff := cmp.Diff(want, got, equal()); diff != "" || err != nil {
			t.Errorf("%q: error %v\n%s", text, err, diff)
		}
	}
	const one = "session 1\n"
	many, long := strings.Repeat(one, maxSessions+1), one+strings.Repeat("#", maxText+1)
	cut := one + "#" + strings.Repeat(" ", maxText-21) + "\nsession 23\n" // behind the 2
	for _, tt := range []struct {
		text string
		read int // sessions, beside the error
		want string
	}{
		{"version 2\n" + one, 0, "version is not known"},
		{"version x\n", 0, "version is not known"},
		{many, maxSessions, "more than 1024"},
		{long, 1, "limit 262144"},
		{cut, 1, "limit 262144"},
	} {
		if got, err := ParseSessions(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) || len(got) != tt.read {
			t.Errorf("%.20q: %d sessions, error %v, want %d, %s", tt.text, len(got), err, tt.read, tt.want)
		}
	}
}

// The law from the value: sessions that are written are read back, those of root first where there
// are too many.
func FuzzSessions(f *testing.F) {
	f.Add([]byte("\x02\x01\x00\x00\x00\x05iqn.a\x05iqn.b\x01\x0a\x00\x00\x01\xbc\x0c\x00\x00\x01"))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := source{b}
		var want, roots, others []Session
		for range s.many(maxSessions) {
			want = append(want, Session{SID: s.uint32(), Target: s.name(), Initiator: s.name(), Portal: s.port(), Root: s.bool()})
			if last := want[len(want)-1]; last.Root {
				roots = append(roots, last)
			} else {
				others = append(others, last)
			}
		}
		text := FormatSessions(want)
		if len(want) > maxSessions {
			want = append(roots, others...)[:maxSessions]
		}
		if got, err := ParseSessions(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("error %v, -written +read:\n%s", err, cmp.Diff(want, got, equal()))
		}
		_, _ = ParseSessions(string(b))
	})
}

// A text that is too long for the reader is not written.
func TestTextLimit(t *testing.T) {
	long := strings.Repeat("x", maxText-200)
	all := []Session{{SID: 1, Target: long}, {SID: 2, Target: "x" + long}, {SID: 3}}
	if got, err := ParseSessions(FormatSessions(all)); err != nil || len(got) != 2 || got[0].SID != 1 || got[1].SID != 3 {
		t.Errorf("%d sessions, %v", len(got), err)
	}
	status := Status{Sessions: []SessionStatus{{SID: 1, Target: long}, {SID: 2, Target: long}, {SID: 3, Target: "iqn.x"}}}
	if got, err := ParseStatus(status.Format()); err != nil || len(got.Sessions) != 2 || got.Sessions[1].SID != 3 {
		t.Errorf("%d sessions, %v", len(got.Sessions), err)
	}
	l := lease()
	l.BootFile, l.Search = strings.Repeat("x", maxLease), slices.Repeat([]string{strings.Repeat("y", 250)}, 1000)
	if got, err := ParseLease(FormatLease(l)); err != nil || got.Address != l.Address || len(got.Search) < 200 || got.BootFile != "" {
		t.Errorf("%d names, %v", len(got.Search), err)
	}
}

func TestMark(t *testing.T) {
	text := file(t, "shutdown")
	got, err := ParseMark(text)
	same(t, Mark{Action: PowerOff, Limit: time.Minute}, got, err, text, got.Format())
	for text, want := range map[string]Mark{
		"begun kexec 90":                {Kexec, 90 * time.Second},
		"halt":                          {Halt, 0},
		"5 reboot later version=1\n":    {Reboot, 5 * time.Second},
		"reboot 2147483648 -1 4 halt 0": {Halt, 0},
	} {
		if got, err := ParseMark(text); got != want || err != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{"": errNoAction, "leave 7": errNoAction, "poweroff 60 version=2": errVersion} {
		if got, err := ParseMark(text); !errors.Is(err, want) || got != (Mark{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if _, err := ParseMark(strings.Repeat("halt ", maxText)); err == nil {
		t.Error("there is no limit")
	}
}

// The law from the value: an action is read back, and a limit in whole seconds, up to what the
// reader takes.
func FuzzMark(f *testing.F) {
	f.Add([]byte("halt 60"))
	f.Add([]byte("\x00\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := source{b}
		m := Mark{Action: Actions()[s.count()], Limit: time.Duration(s.uint32())<<32 | time.Duration(s.uint32())}
		want := m
		if want.Limit = max(0, m.Limit); m.Limit > math.MaxInt32*time.Second {
			want.Limit = math.MaxInt32 * time.Second
		} else if odd := want.Limit % time.Second; odd > 0 {
			want.Limit += time.Second - odd
		}
		if got, err := ParseMark(m.Format()); got != want || err != nil {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		if m, err := ParseMark(string(b)); err == nil && m.Action == "" {
			t.Errorf("%+v", m)
		}
	})
}

func TestLeaseFile(t *testing.T) {
	text := file(t, "lease-ens2")
	got, err := ParseLease(text)
	want := dhcp.Lease{
		Interface: "ens2", Method: dhcp.DHCP4, Address: netip.MustParsePrefix("10.77.0.50/24"), Server: netip.MustParseAddr("10.77.0.1"),
		ClientID: []byte("\xff\x00\x77\x00\x01\x00\x03\x00\x01\x52\x54\x00\x77\x00\x01"), Obtained: 1283 * time.Millisecond,
		Lifetime: time.Hour, Renew: 30 * time.Minute, Rebind: 52*time.Minute + 30*time.Second,
		Routes:     []dhcp.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.77.0.1")}},
		RootPath:   "iscsi:10.77.0.1::::iqn.2007-01.com.example:storage.remote1",
		Initiator:  "iqn.2007-01.com.example:server.remote1",
		BootServer: netip.MustParseAddr("10.77.0.1"),
	}
	same(t, want, got, err, text, FormatLease(got))
	if got := fmt.Sprint(LeaseName(want), " ", LeaseName(dhcp.Lease{Interface: "ens3", Method: dhcp.DHCP6})); got != "lease-ens2 lease6-ens3" {
		t.Error(got)
	}
}

// TestMarkLimit: half a second is not 0, which is no limit.
func TestMarkLimit(t *testing.T) {
	for limit, want := range map[time.Duration]string{
		time.Second / 2: "halt 1\n", -time.Second: "halt 0\n", math.MaxInt64: "halt 2147483647\n", 60 * time.Second: "halt 60\n",
	} {
		if got := (Mark{Halt, limit}).Format(); got != want {
			t.Errorf("%v: %q", limit, got)
		}
	}
}

func TestProcesses(t *testing.T) {
	for line, want := range map[string]bool{
		"@iscsiroot\x00": true, "@iscsiroot-boot\x00": true, "@iscsiroot-agent\x00-x\x00": true, "@iscsiroot-else": true,
		"": false, "@plymouthd\x00": false, "iscsiroot-agent": false, "/bin/@iscsiroot": false,
	} {
		if got := IsAgent(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	for name, want := range map[string]bool{"init": true, "shutdown": true, "exe": true, "": false, "sh": false, "initctl": false} {
		if got := MayBeAgent(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if FirstName != "@iscsiroot-boot" || WorkerName != "@iscsiroot-agent" || AgentRoot != "/run/iscsiroot/agent" {
		t.Error("a name has changed")
	}
}
