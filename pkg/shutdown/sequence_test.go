package shutdown

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

func TestRun(t *testing.T) {
	one := func() []*fakeSession { return []*fakeSession{{name: "s1"}} }
	tests := []struct {
		name   string
		system *fake
		did    string
		log    string
	}{
		{
			"all is well",
			&fake{mounts: []string{"/oldroot/usr", "/oldroot"}, left: 2, sessions: one()},
			"ask, unmount /oldroot/usr, unmount /oldroot, agent, flush s1, logout s1, poweroff after 0 s", "shutdown: s1: logged out",
		},
		{
			"stubborn processes",
			&fake{left: 3, stubborn: true, sessions: one()},
			"ask, kill, agent, flush s1, logout s1, poweroff after 5 s", "shutdown: 3 processes do not end: killing them",
		},
		{
			"processes that ignore SIGTERM, and so many that counting is slow",
			&fake{left: 3, stubborn: true, many: true, sessions: one()},
			"ask, kill, agent, flush s1, logout s1, poweroff after 6 s", "shutdown: 3 processes do not end: killing them",
		},
		{
			"busy at first",
			&fake{mounts: []string{"/oldroot"}, busy: 3, sessions: one()},
			"ask, unmount /oldroot, agent, flush s1, logout s1, poweroff after 0 s", "shutdown: s1: logged out",
		},
		{
			"busy for ever",
			&fake{mounts: []string{"/oldroot"}, busy: 99},
			"ask, agent, detach /oldroot, poweroff after 2 s", "shutdown: busy",
		},
		{
			"much to write back",
			&fake{mounts: []string{"/oldroot"}, slow: 10 * time.Minute, sessions: one()},
			"ask, unmount /oldroot, agent, flush s1, logout s1, poweroff after 600 s", "shutdown: s1: logged out",
		},
		{
			"a dead target, stubborn processes, and another target",
			&fake{
				left: 1, stubborn: true, dead: true, mounts: []string{"/data", "/oldroot/usr", "/oldroot"},
				sessions: []*fakeSession{{name: "s1", dead: true}},
			},
			"ask, kill, unmount /data, agent, terminate s1, detach /oldroot/usr, detach /oldroot, poweroff after 23 s",
			"/oldroot/usr: its disk does not answer: what was not written yet is lost",
		},
		{
			"volumes on the disks, one in use",
			&fake{mounts: []string{"/oldroot"}, above: []string{"busy-swap", "vg-root", "vg-root_rimage_0"}, sessions: one()},
			"ask, unmount /oldroot, remove vg-root, remove vg-root_rimage_0, agent, flush s1, logout s1, poweroff after 0 s",
			"shutdown: remove map busy-swap: device or resource busy",
		},
		{
			"a volume on a dead disk",
			&fake{above: []string{"dead-vg"}, sessions: []*fakeSession{{name: "s1", dead: true}}},
			"ask, agent, terminate s1, poweroff after 10 s", "shutdown: dead-vg: its disk does not answer: it is not removed",
		},
		{
			"an array below a volume, and a volume below an array",
			&fake{above: []string{"vg-root", "md127", "md126", "vg-leg"}, sessions: one()},
			"ask, remove vg-root, remove md127, remove md126, remove vg-leg, agent, flush s1, logout s1, poweroff after 0 s", "shutdown: s1: logged out",
		},
		{
			"a mirror with a dead member",
			&fake{above: []string{"md127"}, spare: 1, sessions: []*fakeSession{{name: "s1", dead: true}, {name: "s2"}}},
			"ask, agent, terminate s1, remove md127, agent, flush s2, logout s2, poweroff after 5 s",
			"shutdown: s1: down, and a mirror works without its disk: dropping the session",
		},
		{
			"a file system on a mirror with a dead member",
			&fake{dead: true, mounts: []string{"/oldroot"}, spare: 1, sessions: []*fakeSession{{name: "s1", dead: true}, {name: "s2"}}},
			"ask, agent, terminate s1, unmount /oldroot, agent, flush s2, logout s2, poweroff after 12 s",
			"shutdown: s1: down, and a mirror works without its disk: dropping the session",
		},
		{
			"a file system on a map without a path",
			&fake{mounts: []string{"/oldroot"}, noPath: []string{"36001"}, sessions: one()},
			"ask, fail maps, unmount /oldroot, agent, flush s1, logout s1, poweroff after 12 s",
			"shutdown: map 36001: no path works: its I/O fails",
		},
		{
			"a target that dies at the flush, and one that lives",
			&fake{sessions: []*fakeSession{{name: "s1", dead: true}, {name: "s2"}}},
			"ask, agent, flush s2, logout s2, terminate s1, poweroff after 5 s", "s1: no end after 5 s: dropping the session",
		},
		{
			"a mute target",
			&fake{sessions: []*fakeSession{{name: "s1", mute: true}}},
			"ask, agent, flush s1, terminate s1, poweroff after 5 s", "s1: no end after 5 s: dropping the session",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.system
			run(t, f)
			if got := strings.Join(f.did, ", "); got != tt.did {
				t.Errorf("did  %s\nwant %s", got, tt.did)
			}
			if !strings.Contains(strings.Join(f.log, "\n"), tt.log) {
				t.Errorf("log %q", f.log)
			}
		})
	}
}

// run is Run in time of its own.
func run(t *testing.T, f *fake) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.began, f.hang = time.Now(), make(chan struct{})
		if f.noPath != nil {
			f.mapFails = make(chan struct{})
		}
		for _, s := range f.sessions {
			s.fake = f
		}
		if err := Run(f, runstate.PowerOff, f); err != nil {
			t.Error(err)
		}
	})
}

// The sessions are terminated if a disk does not respond during the shutdown for longer than the
// limit.
func TestMonitor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit time.Duration
		down  func(after time.Duration) bool
		did   string
		log   string
	}{
		{
			"dead for good", time.Minute, func(time.Duration) bool { return true },
			"agent, terminate s1, poweroff after 70 s", "poweroff: no root disk for 60 s: giving up",
		},
		{
			"back, and dead again", time.Minute, func(after time.Duration) bool { return after < 30*time.Second || after > 100*time.Second },
			"agent, terminate s1, poweroff after 171 s", "waits for its root disk: session 1 down: bring its target back within 60 s",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{sessions: []*fakeSession{{name: "s1", dead: true}}}
			synctest.Test(t, func(t *testing.T) {
				f.began, f.hang = time.Now(), make(chan struct{})
				f.sessions[0].fake = f
				down := func() []string {
					if tt.down(time.Since(f.began)) {
						return []string{"session 1"}
					}
					return nil
				}
				if err := monitor(f, runstate.Mark{Action: runstate.PowerOff, Limit: tt.limit}, down, f); err != nil {
					t.Error(err)
				}
			})
			if got := strings.Join(f.did, ", "); got != tt.did {
				t.Errorf("did  %s\nwant %s", got, tt.did)
			}
			if !strings.Contains(strings.Join(f.log, "\n"), tt.log) {
				t.Errorf("log %q", f.log)
			}
		})
	}
	if got := limit(runstate.Mark{Action: runstate.Reboot}); !strings.Contains(got, "iscsi_shutdown_timeout=") {
		t.Errorf("without a limit: %q", got)
	}
}

// A boot that failed writes back, unmounts and logs out; a disk that does not respond delays that
// by its limits only.
func TestEndBoot(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sessions []*fakeSession
		dead     bool
		did, log string
	}{
		{"healthy", []*fakeSession{{name: "s1"}, {name: "s2"}}, false, "unmount /sysroot, flush s1, flush s2, logout s1, logout s2, ended after 0 s", "logged out"},
		{"dead", []*fakeSession{{name: "s1", dead: true}}, true, "terminate s1, ended after 11 s", "a disk does not answer: what was not written yet is lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{began: time.Now(), hang: make(chan struct{}), sessions: tt.sessions, dead: tt.dead}
				for _, s := range f.sessions {
					s.fake = f
				}
				dirs := []string{"/oldroot/sysroot"} // a name of the fake's that hangs with its disk
				if !tt.dead {
					close(f.hang)
					dirs = []string{"/sysroot"}
				}
				endBoot(f, dirs, f)
				f.note(fmt.Sprintf("ended after %d s", int(time.Since(f.began).Seconds())))
				synctest.Wait()
				if len(f.sessions) > 1 { // the logouts are concurrent
					slices.Sort(f.did[1:5])
				}
				if got := strings.Join(f.did, ", "); got != tt.did {
					t.Errorf("did %q, want %q", got, tt.did)
				}
				if log := strings.Join(f.log, "\n"); !strings.Contains(log, tt.log) {
					t.Errorf("log %q", log)
				}
			})
		})
	}
}

// The I/O of the maps of a boot that failed fails before their sessions end.
func TestEndBootFailsMaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{began: time.Now(), hang: make(chan struct{}), mapFails: make(chan struct{}), noPath: []string{"36001"}}
		f.sessions = []*fakeSession{{fake: f, name: "a"}}
		close(f.hang)
		endBoot(f, nil, f)
		if want := []string{"fail maps", "flush a", "logout a"}; !slices.Equal(f.did, want) {
			t.Errorf("did %q, want %q", f.did, want)
		}
	})
}
