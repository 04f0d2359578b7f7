package disks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// rig is a machine's sysfs, one session of it, and a log.
type rig struct {
	t   *testing.T
	sys string

	mu      sync.Mutex
	up      bool
	ours    uint32
	isPath  bool
	due     bool
	log     []string
	changes int
}

const (
	session1 = "class/iscsi_session/session1"
	unit     = session1 + "/device/target2:0:0/2:0:0:1"
	retry    = unit + "/scsi_disk/2:0:0:1/max_retries"
)

// surveyEvery is the Keeper's in tests.
const surveyEvery = 30 * time.Second

// newRig has one disk, sda, with a partition.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, sys: t.TempDir(), up: true, ours: 86400}
	r.write(map[string]string{
		session1 + "/recovery_tmo":                 "86400\n",
		session1 + "/device/target2:0:0/subsystem": "",
		unit + "/type":                             "0\n",
		unit + "/iodone_cnt":                       "0x10\n",
		unit + "/ioerr_cnt":                        "0x2\n",
		unit + "/block/sda/stat":                   "100 0 0 0 50 0 0 0 0 0 0 0 0 0 0 3 0\n",
		unit + "/block/sda/sda1/start":             "2048\n",
		unit + "/block/sda/queue/iostats":          "1\n",
		retry:                                      "5\n",
		unit + "/block/sda/holders/.keep":          "",
	})
	r.remove(unit + "/block/sda/holders/.keep")
	r.link(unit, "class/scsi_device/2:0:0:1/device")
	r.link(unit+"/block/sda", "class/block/sda")
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.sys, name) }

// write writes files, each in place of the one that was there.
func (r *rig) write(files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		path := r.path(name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// link makes a link, as the classes of sysfs have one for each device.
func (r *rig) link(to, name string) {
	r.t.Helper()
	path := r.path(name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(r.path(to), path)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// is reads a file.
func (r *rig) is(name, want string) {
	r.t.Helper()
	if got := readString(r.path(name)); got != want {
		r.t.Errorf("%s is %q, want %q", filepath.Base(name), got, want)
	}
}

// keeper makes a Keeper of the rig's session.
func (r *rig) keeper(past Memory) *Keeper {
	return New(Config{
		Sys: r.sys, Proc: r.path("proc"), Sessions: func() []Session { return []Session{r} }, Past: past, Log: r,
		Covered:     func(uint32) bool { _, err := os.Stat(r.path(mirrored)); return err == nil },
		SurveyEvery: surveyEvery,
		NextReport:  func(last time.Duration) time.Duration { return last + time.Minute },
		Changed:     func() { r.mu.Lock(); defer r.mu.Unlock(); r.changes++ },
	})
}

// logged counts the lines of the log that have a text.
func (r *rig) logged(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(strings.Join(r.log, "\n"), text)
}

// quiet reports whether nothing was logged.
func (r *rig) quiet() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.log) > 0 {
		r.t.Errorf("logged %q", r.log)
	}
}

func (r *rig) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}
func (r *rig) Warnf(format string, args ...any) { r.Errorf(format, args...) }
func (r *rig) Infof(format string, args ...any) { r.Errorf(format, args...) }

func (r *rig) ID() uint32     { return 1 }
func (r *rig) String() string { return "iqn.test:t" }
func (r *rig) IsPath() bool   { return r.isPath }

func (r *rig) Up() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up, nil
}

func (r *rig) Recovery() (uint32, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ours, r.due
}

func (r *rig) AdoptRecovery(n uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ours, r.due = n, false
}

// ReapplyRecovery is refused by the kernel while the session is down.
func (r *rig) ReapplyRecovery() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.due = !r.up; r.due {
		return nil
	}
	return os.WriteFile(r.path(session1+"/recovery_tmo"), fmt.Appendf(nil, "%d\n", r.ours), 0o644)
}

func TestFind(t *testing.T) {
	r := newRig(t)
	const other = session1 + "/device/target2:0:1/2:0:1:7"
	r.link(other, "class/scsi_device/2:0:1:7/device")
	r.write(map[string]string{
		other + "/type": "0\n",
		session1 + "/device/target2:0:0/2:0:0:0/type":    "12\n", // a controller
		session1 + "/device/target2:0:0/power/control":   "",
		session1 + "/device/connection1:0/power/control": "",
		other + "/scsi_disk/2:0:1:7/x":                   "",
	})
	got := findDisks(r.sys, 1)
	if len(got) != 2 || got[0].Address != "2:0:0:1" || got[0].Disk != "sda" || got[1].Address != "2:0:1:7" || got[1].Disk != "" ||
		got[0].id == got[1].id || got[0].Session != 1 {
		t.Errorf("found %+v", got)
	}
	if got := findDisks(r.sys, 2); got != nil {
		t.Errorf("of a session that is not there: %+v", got)
	}
}

func TestMultipath(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string // below class/block, and who holds whom: "holds X": "Y"
		holds []string          // "sda/holders/dm-0"
		want  bool
	}{
		{"nothing", nil, nil, false},
		{"LVM, plain", map[string]string{"dm-0/dm/uuid": "LVM-abc\n", "dm-0/dm/name": "vg-root\n"}, []string{"sda/sda1/holders/dm-0"}, false},
		{"mirror", map[string]string{"md0/md/level": "raid1\n"}, []string{"sda/holders/md0"}, false},
		{"multipath", map[string]string{"dm-0/dm/uuid": "mpath-3600\n"}, []string{"sda/holders/dm-0"}, true},
		{
			"mirror on dm-crypt on a partition of a map",
			map[string]string{"dm-0/dm/uuid": "mpath-1\n", "dm-1/dm/uuid": "part1-mpath-1\n", "dm-2/dm/uuid": "CRYPT-x\n", "md0/md/level": "raid6\n"},
			[]string{"sda/holders/dm-0", "dm-0/holders/dm-1", "dm-1/holders/dm-2", "dm-2/holders/md0"},
			true,
		},
		{"a circle", map[string]string{"dm-0/dm/uuid": "x\n"}, []string{"sda/holders/dm-0", "dm-0/holders/dm-0"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			for name, text := range tt.files {
				r.write(map[string]string{"class/block/" + name: text})
			}
			for _, h := range tt.holds {
				if disk, is := strings.CutPrefix(h, "sda/"); is {
					r.write(map[string]string{unit + "/block/sda/" + disk: ""})
				} else {
					r.write(map[string]string{"class/block/" + h: ""})
				}
			}
			if got := findDisks(r.sys, 1)[0].multipath(r.sys); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestRuns(t *testing.T) {
	r := newRig(t)
	r.write(map[string]string{"proc/1/comm": "init\n", "proc/self/comm": "multipathd\n", "proc/20/comm": "multipath\n"})
	if processRuns(r.path("proc"), daemon) {
		t.Error("it runs before it does")
	}
	r.write(map[string]string{"proc/21/comm": "multipathd\n"})
	if !processRuns(r.path("proc"), daemon) {
		t.Error("it is not seen")
	}
	if got := readNames(r.path("proc")); !slices.Equal(got, []string{"1", "20", "21", "self"}) {
		t.Errorf("%q", got)
	}
}
