package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// onMachine runs a test whose root directory holds only what it writes, /sys and /dev included.
func onMachine(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNS, func() {
		if err := errors.Join(unix.Mount("none", "/sys", "tmpfs", 0, ""), unix.Chroot("/sys"), os.Chdir("/")); err != nil {
			t.Fatal(err)
		}
		f()
	})
}

// attach puts a logical unit of a session into sysfs, as the kernel has it after a scan; a size of
// 0 is that of a disk that is not ready.
func attach(t *testing.T, sid uint32, lun, typ int, disk string, sectors int) {
	t.Helper()
	dir := fmt.Sprintf("/sys/class/iscsi_session/session%d/device/target%d:0:0/%[2]d:0:0:%d", sid, sid+10, lun)
	files := map[string]string{dir + "/type": fmt.Sprintln(typ)}
	if disk != "" {
		files["/sys/class/block/"+disk+"/size"] = fmt.Sprintln(sectors)
		files["/sys/class/block/"+disk+"/ro"] = "0\n"
		files[dir+"/block/"+disk+"/size"] = fmt.Sprintln(sectors)
		files["/dev/"+disk] = ""
	}
	writeFiles(t, files)
}

// quiet are Uevents without an event.
type quiet struct{}

func (quiet) Wait(ctx context.Context, done func(uevent.Event) (bool, error)) error {
	if ok, err := done(uevent.Event{}); ok || err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// scannable are sessions that the kernel can scan.
type scannable struct {
	fakeSessions
	lose  map[int]error  // errors of their scans
	finds map[int]func() // what their scans find
	later []int          // see Sessions.Later
}

func (s *scannable) RepeatIfLost(_ context.Context, one *session.Session, work func(bool) error) error {
	i := slices.Index(s.list, one)
	if err := s.lose[i]; err != nil {
		return err
	}
	if s.finds[i] != nil {
		s.finds[i]()
	}
	return work(false)
}

func (s *scannable) Later(i int, _ func(context.Context)) { s.later = append(s.later, i) }

// withScans is a Storage of n sessions that can be scanned, and what it logs.
func withScans(t *testing.T, n int) (*Storage, *scannable, *steptest.Recorder) {
	t.Helper()
	k := kerneltest.New()
	t.Cleanup(k.Close)
	transport := k.Transport()
	t.Cleanup(func() { _ = transport.Close() })
	all := &scannable{lose: map[int]error{}, finds: map[int]func(){}}
	for i := range n {
		sid := uint32(7 + i)
		writeFiles(t, map[string]string{
			fmt.Sprintf("/sys/class/iscsi_session/session%d/target_id", sid):   "0\n",
			fmt.Sprintf("/sys/class/scsi_host/host%d/scan", sid+10):            "",
			fmt.Sprintf("/sys/class/iscsi_session/session%d/device/none", sid): "",
		})
		target := bootspec.Target{Name: bootspec.Value[string]{V: fmt.Sprintf("iqn.x:%d", i)}}
		all.list = append(all.list, session.New(transport.Adopt(sid, sid+10), session.Config{Target: target}))
	}
	st, log := withSessions(n)
	st.Sessions, st.Uevents = all, func() Uevents { return quiet{} }
	return st, all, log
}

// lunGiven is a LUN that the command line has.
func lunGiven(n uint16) bootspec.Value[iscsi.LUN] {
	return bootspec.Value[iscsi.LUN]{V: iscsi.MakeLUN(n), From: "iscsi_lun="}
}

// A target without a disk stops no other. If no target has one, the error is one after which a
// later attempt may succeed, if there is such, and the first otherwise.
func TestFindDisks(t *testing.T) {
	onMachine(t, func() {
		lost, refused := sequence.AsRetryable(errors.New("the session is down")), errors.New("permission denied")
		for _, tt := range []struct {
			name  string
			disks string // one letter per session: its disk; "-": none
			lose  map[int]error
			want  string // the disks
			err   error
			later []int
			warn  string
		}{
			{name: "each has one", disks: "ab", want: "sda sdb"},
			{name: "the second has none", disks: "a-", want: "sda", warn: "warning target iqn.x:1 has no disk: it presents no LUN"},
			{name: "the first has none", disks: "-b", want: "sdb", warn: "warning target iqn.x:0 has no disk: it presents no LUN"},
			{name: "the first cannot be scanned", disks: "ab", lose: map[int]error{0: refused}, want: "sdb", warn: "warning permission denied"},
			{name: "the first is down", disks: "ab", lose: map[int]error{0: lost}, want: "sdb", later: []int{0}},
			{name: "no disk but errors", disks: "--", lose: map[int]error{0: refused, 1: lost}, err: lost},
			{name: "no disk but errors, the other way round", disks: "--", lose: map[int]error{0: lost, 1: refused}, err: lost},
			{name: "no disk but errors that stay", disks: "---", lose: map[int]error{0: refused, 1: errors.New("b"), 2: errors.New("c")}, err: refused},
			{name: "no disk but errors that pass", disks: "--", lose: map[int]error{0: lost, 1: sequence.AsRetryable(errors.New("b"))}, err: lost},
			{name: "an error and no disk", disks: "--", lose: map[int]error{1: lost}, err: lost},
		} {
			if err := os.RemoveAll("/sys"); err != nil {
				t.Fatal(err)
			}
			st, all, log := withScans(t, len(tt.disks))
			all.lose = tt.lose
			for i, d := range tt.disks {
				if d != '-' {
					all.finds[i] = func() { attach(t, uint32(7+i), 0, 0, "sd"+string(d), 16384) }
				}
			}
			err := st.FindDisks(t.Context())
			if !errors.Is(err, tt.err) || names(st.disks) != tt.want || !slices.Equal(all.later, tt.later) {
				t.Errorf("%s: %q, %v, later %v", tt.name, names(st.disks), err, all.later)
			}
			warnings := slices.DeleteFunc(log.Lines(), func(l string) bool { return !strings.HasPrefix(l, "warning ") })
			if strings.Join(warnings, "\n") != tt.warn {
				t.Errorf("%s: warned %q, want %q", tt.name, warnings, tt.warn)
			}
		}
	})
}

// Once the boot has ended no scan goes on.
func TestFindDisksEnds(t *testing.T) {
	onMachine(t, func() {
		st, all, _ := withScans(t, 1)
		all.finds[0] = func() { attach(t, 7, 0, 0, "sda", 16384) }
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := st.FindDisks(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		st, all, _ = withScans(t, 2)
		all.states = []state{pending, lost}
		if err := st.FindDisks(t.Context()); err != nil || len(st.disks) > 0 {
			t.Errorf("sessions that are not up: %q, %v", names(st.disks), err)
		}
	})
}

// The error of a target without the disk tells which LUNs there are instead, and what to do.
func TestNoDisk(t *testing.T) {
	onMachine(t, func() {
		const mapDisk, otherwise = "map a disk for this initiator at the target", "correct iscsi_lun=, or map the disk for this initiator at the target"
		for _, tt := range []struct {
			name      string
			given     bool
			have      func()
			err, hint string
		}{
			{"nothing", false, func() {}, "target iqn.x:0 has no disk: it presents no LUN", mapDisk},
			{"a controller", false, func() { attach(t, 7, 0, 12, "", 0) }, "target iqn.x:0 has no disk: lun 0 is not a disk (SCSI type 12, array controller)", mapDisk},
			{"nothing at that LUN", true, func() {}, "target iqn.x:0 has no disk at lun 3: it presents no LUN", otherwise},
			{
				"other LUNs", true,
				func() {
					attach(t, 7, 0, 12, "", 0)
					attach(t, 7, 2, 0, "sdb", 16384)
					attach(t, 7, 4, 0, "sdc", 2097152)
				},
				"target iqn.x:0 has no disk at lun 3: lun 0 is not a disk (SCSI type 12, array controller), lun 2 is a disk of 8 MiB, lun 4 is a disk of 1024 MiB", otherwise,
			},
			{"a controller at that LUN", true, func() { attach(t, 7, 3, 5, "", 0) }, "target iqn.x:0 has no disk at lun 3: lun 3 is not a disk (SCSI type 5, CD or DVD)", otherwise},
		} {
			if err := os.RemoveAll("/sys"); err != nil {
				t.Fatal(err)
			}
			st, all, _ := withScans(t, 1)
			if tt.given {
				st.Spec.Targets[0].LUN = lunGiven(3)
			}
			all.finds[0] = tt.have
			err := st.FindDisks(t.Context())
			if err == nil || err.Error() != tt.err || sequence.Hint(err) != tt.hint || sequence.Retryable(err) {
				t.Errorf("%s:\n got %v (%s)\nwant %s (%s)", tt.name, err, sequence.Hint(err), tt.err, tt.hint)
			}
		}
	})
}

// Of a session the LUN that is given is used, and without one the first that is a disk.
func TestDiskOfSession(t *testing.T) {
	onMachine(t, func() {
		st, all, log := withScans(t, 2)
		all.finds[0] = func() { attach(t, 7, 0, 0, "sda", 16384); attach(t, 7, 3, 0, "sdb", 16384) }
		all.finds[1] = func() { attach(t, 8, 0, 12, "", 0); attach(t, 8, 5, 0, "sdc", 16384) }
		st.Spec.Targets[0].LUN = lunGiven(3)
		if err := st.FindDisks(t.Context()); err != nil || names(st.disks) != "sdb sdc" {
			t.Errorf("%q, %v", names(st.disks), err)
		}
		want := []string{"info disk sdb is lun 3 of iqn.x:0", "info disk sdc is lun 5 of iqn.x:1"}
		if got := log.Lines(); !slices.Equal(got, want) {
			t.Errorf("log %q", got)
		}
		writeFiles(t, map[string]string{"/sys/class/block/sdb/ro": "1\n"})
		if got := st.describe(0, *st.disks[0].LUN); got != "disk sdb is lun 3 of iqn.x:0, write-protected" {
			t.Error(got)
		}
	})
}

// What a session got since it was scanned is counted: at its place if it had no disk, and after all
// others if it had. What is no disk, of another LUN than the given one, or of a session that is
// down, is not.
func TestNewDisks(t *testing.T) {
	onMachine(t, func() {
		st, all, _ := withScans(t, 4)
		all.finds[0] = func() { attach(t, 7, 0, 0, "sda", 16384) }
		all.finds[2] = func() { attach(t, 9, 0, 0, "sdc", 16384) }
		if err := st.FindDisks(t.Context()); err != nil || names(st.disks) != "sda sdc" {
			t.Fatalf("%q, %v", names(st.disks), err)
		}
		st.Spec.Targets[1].LUN = lunGiven(3)
		attach(t, 7, 1, 0, "sdx", 16384)
		attach(t, 8, 0, 0, "sdz", 16384)
		attach(t, 8, 3, 0, "sdb", 16384)
		attach(t, 9, 1, 12, "", 0)
		attach(t, 9, 2, 0, "", 0)
		attach(t, 10, 0, 0, "sdd", 16384)
		all.states = []state{up, up, up, pending}
		for range 2 {
			st.newDisks(t.Context())
			if names(st.disks) != "sda sdb sdc" || names(st.late) != "sdx" {
				t.Errorf("%q, late %q", names(st.disks), names(st.late))
			}
		}
		if err := os.RemoveAll("/sys/class/iscsi_session/session8"); err != nil {
			t.Fatal(err)
		}
		all.states = nil
		st.newDisks(t.Context())
		if names(st.disks) != "sda sdb sdc sdd" || names(st.late) != "sdx" {
			t.Errorf("while a session is made anew: %q, late %q", names(st.disks), names(st.late))
		}
	})
}
