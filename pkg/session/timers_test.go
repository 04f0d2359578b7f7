package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Until root is mounted pings are more frequent than afterwards, unless they are switched off. Each
// ping that timed out doubles the time-out, up to the configured one.
func TestPingsUntilMounted(t *testing.T) {
	for _, tt := range []struct {
		asked Timers
		boot  pings
		after []uint32 // time-outs after silent ends
	}{
		{Timers{PingInterval: 15, PingTimeout: 30}, pings{1, 3}, []uint32{6, 12, 24, 30, 30}},
		{Timers{PingInterval: 5, PingTimeout: 5}, pings{1, 3}, []uint32{5, 5}},
		{Timers{PingInterval: 1, PingTimeout: 2}, pings{1, 2}, []uint32{2}},
		{Timers{PingInterval: 0, PingTimeout: 30}, pings{0, 0}, []uint32{0}},
		{Timers{PingInterval: 15, PingTimeout: 0}, pings{0, 0}, []uint32{0}},
	} {
		s := &Session{timers: tt.asked, pings: tt.asked.untilMounted()}
		if s.pings != tt.boot {
			t.Errorf("%+v: boot has %+v, want %+v", tt.asked, s.pings, tt.boot)
		}
		s.ConnectionLost(kernel.TargetClosed)
		if s.pings.timeout != tt.boot.timeout {
			t.Errorf("%+v: an end that was not silent made the time-out %d", tt.asked, s.pings.timeout)
		}
		for _, want := range tt.after {
			s.ConnectionLost(fmt.Errorf("session 1: %w", kernel.PingTimedOut))
			if s.pings.timeout != want {
				t.Errorf("%+v: time-out %d after a silent end, want %d", tt.asked, s.pings.timeout, want)
			}
		}
	}
}

// The silence of the target is the sum of the kernel's timers, which differ from those of the next
// login.
func TestSilenceOfTheTarget(t *testing.T) {
	tg := startTarget(t, welcome, welcome, welcome, welcome)
	s, k := newSession(t, tg.portal)
	silent := fmt.Errorf("session 1: %w", kernel.PingTimedOut)
	for _, want := range []time.Duration{4, 7, 13} { // 1+3, then 1+6, 1+12
		if _, err := s.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.SilentFor(silent); got != want*time.Second {
			t.Errorf("silent for %v, want %d s", got, want)
		}
		if s.ConnectionLost(silent); s.SilentFor(silent) != want*time.Second {
			t.Errorf("silent for %v after ConnectionLost, want %d s", s.SilentFor(silent), want)
		}
		if s.SilentFor(kernel.TargetClosed) != 0 || s.SilentFor(nil) != 0 {
			t.Error("silent without a ping")
		}
		k.Close()
	}
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetTimers(t.Context()); err != nil || s.SilentFor(silent) != 45*time.Second {
		t.Errorf("silent for %v with the timers of the running system, %v", s.SilentFor(silent), err)
	}
	if again := Reopen(nil, s.State()); again.SilentFor(silent) != 45*time.Second {
		t.Errorf("silent for %v in another process", again.SilentFor(silent))
	}
}

// If iscsid logged in to the session, its timers are used.
func TestSilenceByOtherTimers(t *testing.T) {
	s := Reopen((*kernel.Transport)(nil), State{Record: Record{SID: 7}, Timers: defaultTimers()})
	sys := t.TempDir()
	dir := sys + "/class/iscsi_connection/connection7:0"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, text string
		want       time.Duration
	}{{"recv_tmo", "5\n", 45}, {"ping_tmo", "<NULL>\n", 45}, {"ping_tmo", "7\n", 12}, {"ping_tmo", "-1\n", 45}} {
		if err := os.WriteFile(dir+"/"+tt.file, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := s.silentFor(kernel.Sysfs(sys), kernel.PingTimedOut); got != tt.want*time.Second {
			t.Errorf("%s %q: silent for %v", tt.file, tt.text, got)
		}
	}
	if got := s.silentFor(kernel.Sysfs(sys), kernel.TargetClosed); got != 0 {
		t.Errorf("silent for %v without a ping", got)
	}
}

// The timers of the running system are set when root is mounted: immediately where the session is
// up, else by the next login.
func TestSetTimers(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	s, k := newSession(t, tg.portal)
	if err := s.SetTimers(t.Context()); err != nil || len(k.Requests()) != 2 {
		t.Errorf("a session without a connection was sent %q, %v", steps(k.Requests()), err)
	}
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := steps(k.Requests()); !slices.Contains(got, "set 30 30") || !slices.Contains(got, "set 31 15") {
		t.Errorf("the login after SetTimers sent %q", got)
	}
	before := len(k.Requests())
	if err := s.SetTimers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := steps(k.Requests()[before:]), []string{"set 30 30", "set 31 15"}; !slices.Equal(got, want) {
		t.Errorf("requests %q, want %q", got, want)
	}
}

// Time-outs of 0 and without a limit have the kernel's values.
func TestTimersOf(t *testing.T) {
	given := func(d time.Duration) bootspec.Value[time.Duration] {
		return bootspec.Value[time.Duration]{V: d, From: "x="}
	}
	none := bootspec.Value[time.Duration]{}
	for _, tt := range []struct {
		recovery, interval, timeout bootspec.Value[time.Duration]
		path                        bool
		want                        Timers
	}{
		{none, none, none, false, Timers{86400, 15, 30, 0}},
		{given(time.Minute), given(2 * time.Second), none, false, Timers{60, 2, 30, 0}},
		{given(0), given(0), none, false, Timers{0, 0, 0, 0}},
		{given(bootspec.Forever), none, given(0), false, Timers{Never, 0, 0, 0}},
		{none, none, none, true, Timers{0, 2, 3, 86400}},
		{given(time.Minute), given(15 * time.Second), none, true, Timers{0, 15, 3, 60}},
		{given(bootspec.Forever), none, given(0), true, Timers{0, 0, 0, Never}},
		{given(0), none, none, true, Timers{0, 2, 3, 1}},
	} {
		got := timersOf(bootspec.Timers{Recovery: tt.recovery, PingInterval: tt.interval, PingTimeout: tt.timeout}, tt.path)
		if got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
}

// Without pings each login sets both times to 0.
func TestLoginWithoutPings(t *testing.T) {
	tg := startTarget(t, welcome)
	s, k := newSession(t, tg.portal)
	s.timers = Timers{Recovery: Never, PingInterval: 0, PingTimeout: 30}
	s.pings = s.timers.untilMounted()
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := steps(k.Requests()); !slices.Contains(got, "set 30 0") || !slices.Contains(got, "set 31 0") {
		t.Errorf("the login sent %q", got)
	}
	if err := s.SetTimers(t.Context()); err != nil || s.recoveryTimeout() != -1 {
		t.Errorf("holds I/O for %d s, %v", s.recoveryTimeout(), err)
	}
}

// A session whose disks become paths gets the timers of one, but for pings that were set.
func TestUseAsPath(t *testing.T) {
	for _, tt := range []struct{ was, want Timers }{
		{defaultTimers(), Timers{0, 2, 3, 86400}},
		{Timers{600, 10, 20, 0}, Timers{0, 10, 20, 600}},
		{Timers{0, 2, 3, 60}, Timers{0, 2, 3, 60}},
	} {
		s := held(t)
		s.timers = tt.was
		for range 2 {
			err := s.UseAsPath()
			if _, due := s.Recovery(); due != errors.Is(err, fs.ErrNotExist) || due == (tt.was == tt.want) {
				t.Errorf("%+v: due %v, %v", tt.was, due, err)
			}
		}
		if s.timers != tt.want || !s.IsPath() || s.Queue() != tt.want.Queue {
			t.Errorf("%+v, want %+v", s.timers, tt.want)
		}
		if tt.was == tt.want {
			continue
		}
		if err := s.UseAsDisk(); !errors.Is(err, fs.ErrNotExist) || s.timers != tt.was {
			t.Errorf("as a disk again: %+v, want %+v, %v", s.timers, tt.was, err)
		}
	}
}

// SCSI's error handling of a path is short, also of one that becomes a path after its login.
func TestErrorTimeoutsOfPath(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	s, k := newSession(t, tg.portal)
	disk, path := []string{"set 27 15", "set 28 30", "set 35 30"}, []string{"set 27 5", "set 28 5", "set 35 5"}
	sent := func() (out []string) {
		all := steps(k.Requests())
		return slices.DeleteFunc(all, func(step string) bool {
			return !slices.ContainsFunc(disk, func(d string) bool { return strings.HasPrefix(step, d[:len("set 27 ")]) })
		})
	}
	login := func() {
		t.Helper()
		if _, err := s.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	login()
	_ = s.UseAsPath() // this machine's sysfs does not have it
	if err := s.SetTimers(t.Context()); err != nil {
		t.Fatal(err)
	}
	login()
	if got, want := sent(), slices.Concat(disk, path, path); !slices.Equal(got, want) {
		t.Errorf("set %q, want %q", got, want)
	}
}

// A session that was to be a path, and is none, gets the timers of a disk: its I/O waits.
func TestUseAsDisk(t *testing.T) {
	for _, tt := range []struct{ was, want Timers }{
		{Timers{0, 2, 3, 86400}, defaultTimers()},
		{Timers{600, 10, 20, 0}, Timers{600, 10, 20, 0}}, // as it was
	} {
		s := held(t)
		s.timers, s.due = tt.was, false
		if err := s.UseAsDisk(); errors.Is(err, fs.ErrNotExist) != (tt.was != tt.want) {
			t.Errorf("%+v: %v", tt.was, err)
		}
		if s.timers != tt.want || s.IsPath() {
			t.Errorf("%+v, want %+v", s.timers, tt.want)
		}
	}
}
