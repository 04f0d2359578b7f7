package shutdown

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// brokenSystem is a System that gives neither its mounts nor its sessions, or that cannot detach.
type brokenSystem struct {
	*fake
	mounts, sessions, detach error
}

func (b brokenSystem) Mounts() ([]string, error) {
	all, _ := b.fake.Mounts()
	return all, b.mounts
}

func (b brokenSystem) Sessions() ([]Session, error) {
	all, _ := b.fake.Sessions()
	return all, b.sessions
}

func (b brokenSystem) Detach(dir string) error { return errors.Join(b.fake.Detach(dir), b.detach) }

// Whatever fails is logged, and the machine ends nevertheless, with its sessions logged out.
func TestEndOfABrokenSystem(t *testing.T) {
	for name, tt := range map[string]struct {
		system brokenSystem
		busy   int
		log    string
	}{
		"no mounts":   {brokenSystem{mounts: errors.New("no mountinfo")}, 0, "shutdown: no mountinfo"},
		"no sessions": {brokenSystem{sessions: errors.New("no netlink")}, 0, "shutdown: no netlink"},
		"no detach":   {brokenSystem{detach: errors.New("detach /oldroot: invalid argument")}, 1000, "shutdown: detach /oldroot: invalid argument"},
		"all well":    {brokenSystem{}, 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{began: time.Now(), hang: make(chan struct{}), mounts: []string{"/oldroot"}, busy: tt.busy, sessions: []*fakeSession{{name: "s1"}}}
			f.sessions[0].fake = f
			tt.system.fake = f
			if err := Run(tt.system, runstate.Reboot, f); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			last := f.did[len(f.did)-1]
			if !slices.Contains(f.did, "logout s1") || !strings.HasPrefix(last, "reboot after ") {
				t.Errorf("%s: did %q", name, f.did)
			}
			logged := slices.DeleteFunc(slices.Clone(f.log), func(l string) bool { return l == "shutdown: s1: logged out" || l == "shutdown: busy" })
			if tt.log == "" && len(logged) > 0 || tt.log != "" && !slices.Contains(logged, tt.log) {
				t.Errorf("%s: log %q", name, f.log)
			}
		})
	}
}

// A boot that failed unmounts what there is: that a directory is no mount, or does not exist, is
// not worth a line.
func TestEndBootWithoutMounts(t *testing.T) {
	for err, want := range map[error]int{unix.EINVAL: 0, unix.ENOENT: 0, unix.EBUSY: 1} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{began: time.Now(), hang: make(chan struct{})}
			close(f.hang)
			endBoot(refusing{f, err}, []string{"/sysroot"}, f)
			if len(f.log) != want {
				t.Errorf("%v: log %q", err, f.log)
			}
		})
	}
}

// refusing is a System whose unmounts fail.
type refusing struct {
	*fake
	err error
}

func (r refusing) Unmount(string) error { return r.err }
