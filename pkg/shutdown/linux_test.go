package shutdown

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// tree writes files below a directory of its own.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestParseAction(t *testing.T) {
	for _, tt := range []struct {
		args     []string
		runlevel string
		want     runstate.Action
	}{
		{[]string{"poweroff", "--timeout", "90000000us"}, "", runstate.PowerOff},
		{[]string{"--log-level", "6", "kexec"}, "", runstate.Kexec},
		{[]string{"halt"}, "6", runstate.Halt},
		{[]string{"leave"}, "", Leave},
		{nil, "0", runstate.PowerOff},
		{[]string{"stop"}, "6", runstate.Reboot},
		{[]string{"exit"}, "", ""},
		{nil, "2", ""},
	} {
		if got := ParseAction(tt.args, tt.runlevel); got != tt.want {
			t.Errorf("%q in runlevel %q: %s", tt.args, tt.runlevel, got)
		}
	}
}

func TestMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shutdown")
	if m, ok := readMark(path); ok {
		t.Errorf("before: %+v", m)
	}
	got := make(chan runstate.Mark, 1)
	go func() {
		m, err := waitForMark(path)
		if err != nil {
			t.Error(err)
		}
		got <- m
	}()
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "other"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want, err := runstate.MarkOf([]string{"begun", "poweroff", "60"})
	if err != nil || want != (runstate.Mark{Action: runstate.PowerOff, Limit: time.Minute}) {
		t.Errorf("%+v", want)
	}
	if status := writeMark(want, path); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if m := <-got; m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	if status := writeMark(want, filepath.Join(path, "x")); status == 0 {
		t.Error("a file below a file was written")
	}
	if m, err := runstate.MarkOf([]string{"leave", "7"}); err == nil {
		t.Errorf("%+v without an end", m)
	}
}

// A session counts as down if something in use needs its disk: one of a mirror's two does not.
func TestDown(t *testing.T) {
	const disk, other, array = "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/platform/host8/session4/target8:0:0/8:0:0:1/block/sdb", "devices/virtual/block/md0"
	const place = "devices/platform/host7/session3/iscsi_session/session3/state"
	l := ourSession(t, map[string]string{
		"class/iscsi_connection/connection3:0/state": "up\n", "class/iscsi_connection/connection4:0/state": "up\n",
		"devices/platform/host8/session4/iscsi_session/session4/state": "LOGGED_IN\n",
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/type":     "0\n", "devices/platform/host8/session4/target8:0:0/8:0:0:1/type": "0\n",
		disk + "/dev": "8:0\n", other + "/dev": "8:16\n", array + "/dev": "9:0\n",
		array + "/md/level": "raid1\n", array + "/md/raid_disks": "2\n", "1/mountinfo": "1 0 8:0 / / rw - ext4 /dev/sda rw\n", "class/block/.keep": "",
	})
	l.proc = l.sys
	link := func(to, at string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(l.sys, at)), 0o755), os.Symlink(filepath.Join(l.sys, to), filepath.Join(l.sys, at))); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(l.sys, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link("devices/platform/host8/session4/iscsi_session/session4", "class/iscsi_session/session4")
	link("devices/platform/host7/session3", "devices/platform/host7/session3/iscsi_session/session3/device")
	link("devices/platform/host8/session4", "devices/platform/host8/session4/iscsi_session/session4/device")
	for _, at := range []string{disk, other, array} {
		if err := os.Symlink("../../"+at, filepath.Join(l.sys, "class/block", filepath.Base(at))); err != nil {
			t.Fatal(err)
		}
	}
	write("sessions", "session 3 target iqn.a\nsession 4 target iqn.b\n")
	check := func(when string, want ...string) {
		t.Helper()
		if got := l.down(); !slices.Equal(got, want) {
			t.Errorf("%s: %q are down, want %q", when, got, want)
		}
	}
	check("all is well")
	write(place, "FAILED\n")
	check("root on the disk", "session 3")
	for i, name := range []string{"sda", "sdb"} {
		member := array + "/md/dev-" + name
		link(map[string]string{"sda": disk, "sdb": other}[name], array+"/slaves/"+name)
		link(array, map[string]string{"sda": disk, "sdb": other}[name]+"/holders/md0")
		if err := os.MkdirAll(filepath.Join(l.sys, member), 0o755); err != nil {
			t.Fatal(err)
		}
		write(member+"/slot", strconv.Itoa(i)+"\n")
		write(member+"/state", "in_sync\n")
	}
	write("1/mountinfo", "1 0 9:0 / / rw - ext4 /dev/md0 rw\n")
	check("root on a mirror")
	k := kerneltest.New()
	defer k.Close()
	l.transport = k.Transport()
	if spare := l.Spare(); len(spare) != 1 || spare[0].String() != "session 3" {
		t.Errorf("%v can be spared", spare)
	}
	write("class/iscsi_connection/connection4:0/state", "failed\n")
	check("a mirror without a member", "session 3", "session 4")
	if spare := l.Spare(); spare != nil {
		t.Errorf("%v can be spared of a mirror without a member", spare)
	}
}

// ourSession is a sysfs with session 3 on host 7, and a list of it.
func ourSession(t *testing.T, files map[string]string) *linux {
	t.Helper()
	const place = "devices/platform/host7/session3/iscsi_session/session3"
	files[place+"/state"] = "LOGGED_IN\n"
	files["sessions"] = "session 3 target iqn.a\n"
	sys := tree(t, files)
	class := filepath.Join(sys, "class/iscsi_session")
	if err := errors.Join(os.MkdirAll(class, 0o755), os.Symlink("../../"+place, filepath.Join(class, "session3"))); err != nil {
		t.Fatal(err)
	}
	return &linux{sys: sys, sessions: filepath.Join(sys, "sessions")}
}

// Only commands without an error are progress: a disk that repeats its commands without end does
// not delay the shutdown.
func TestProgress(t *testing.T) {
	l := ourSession(t, map[string]string{
		"class/scsi_device/7:0:0:1/device/iodone_cnt": "0x2\n",
		"class/scsi_device/8:0:0:0/device/iodone_cnt": "0x100\n", // of another host
	})
	for _, tt := range []struct {
		done, failed string
		want         uint64
	}{
		{"0x1f", "0x3", 0x1c + 2},
		{"0x2f", "0x3", 0x2c + 2},
		{"0xf002f", "0xf0003", 0x2c + 2},       // errors alone
		{"0xf002f", "0xf0005", 0x2c + 2},       // the same, read a moment apart
		{"0xf0033", "0xf0005", 0x2e + 2},       // two more went well
		{"0x00000007", "0xfffffff0", 0x2e + 2}, // around
		{"0x00000038", "0x00000005", 0x33 + 2},
	} {
		for name, text := range map[string]string{"iodone_cnt": tt.done, "ioerr_cnt": tt.failed} {
			path := filepath.Join(l.sys, "class/scsi_device/7:0:0:0/device", name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.Progress(); got != tt.want {
			t.Errorf("%s of which %s failed: %#x, want %#x", tt.done, tt.failed, got, tt.want)
		}
	}
}

// Before the last flush the disks get their limit of retries back; one that an administrator has
// set stays.
func TestFlush(t *testing.T) {
	l := ourSession(t, map[string]string{
		"class/scsi_disk/7:0:0:0/max_retries":     "-1\n",
		"class/scsi_disk/7:0:0:1/max_retries":     "3\n",
		"class/scsi_disk/8:0:0:0/max_retries":     "-1\n", // of another host
		"class/scsi_device/7:0:0:0/device/delete": "",
	})
	k := kerneltest.New()
	defer k.Close()
	l.transport = k.Transport()
	all, err := l.Sessions()
	if err != nil || len(all) != 1 {
		t.Fatalf("sessions %v, %v", all, err)
	}
	if err := all[0].Flush(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"class/scsi_disk/7:0:0:0/max_retries": "5", "class/scsi_disk/7:0:0:1/max_retries": "3\n", "class/scsi_disk/8:0:0:0/max_retries": "-1\n",
		"class/scsi_device/7:0:0:0/device/delete": "1",
	} {
		if b, err := os.ReadFile(filepath.Join(l.sys, name)); string(b) != want || err != nil {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
}

// A session that was never logged in is dropped without a message: it is of a path that is not
// used, or whose target has not answered yet. One that lost its connection may lose data.
func TestLeaveReserved(t *testing.T) {
	for target, want := range map[string]int{"(null)\n": 0, "iqn.a\n": 1} {
		l := ourSession(t, map[string]string{})
		k := kerneltest.New()
		defer k.Close()
		l.transport = k.Transport()
		dir := filepath.Join(l.sys, "class/iscsi_session/session3")
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "targetname"), []byte(target), 0o644), os.WriteFile(filepath.Join(dir, "state"), []byte("FREE\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		all, err := l.Sessions()
		if err != nil || len(all) != 1 {
			t.Fatalf("sessions %v, %v", all, err)
		}
		log := &errorCount{}
		leave(&fake{}, all[0], log)
		if log.n != want || len(k.Requests()) == 0 {
			t.Errorf("%q: %d errors, %d requests", target, log.n, len(k.Requests()))
		}
	}
}

// errorCount counts errors.
type errorCount struct{ n int }

func (e *errorCount) Errorf(string, ...any) { e.n++ }
func (*errorCount) Warnf(string, ...any)    {}
func (*errorCount) Infof(string, ...any)    {}

// The agent's transport is used to log out: the agent would take another socket of the same process
// for that of another program (pkg/recovery: listeners).
func TestSessionsOfTransport(t *testing.T) {
	l := ourSession(t, map[string]string{})
	k := kerneltest.New()
	defer k.Close()
	l.transport = k.Transport()
	all, err := l.Sessions()
	if err != nil || len(all) != 1 {
		t.Fatalf("sessions %v, %v", all, err)
	}
	_ = all[0].Terminate(t.Context()) // this kernel has no such session, and its sysfs is read
	if len(k.Requests()) == 0 {
		t.Error("another socket was used")
	}
}

// A recovery that does not stop in time does not delay the end.
func TestStopRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), make(chan bool, 2)
		l := &inAgent{&fake{}, func(ctx context.Context) error { calls <- true; <-ctx.Done(); return ctx.Err() }}
		l.EndAgent()
		if len(calls) != 1 || time.Since(began) != stopTime {
			t.Errorf("asked %d times, %v", len(calls), time.Since(began))
		}
		synctest.Wait()
	})
}

func TestBelow(t *testing.T) {
	text := "21 1 0:5 / / rw - tmpfs tmpfs rw\n" +
		"22 21 8:2 / /oldroot rw,relatime - ext4 /dev/sda2 rw\n" +
		"23 22 0:6 / /oldroot/proc rw - proc proc rw\n" +
		"24 22 0:7 / /oldroot/a\\040b\\134c rw - tmpfs t rw\n" +
		"25 21 0:8 / /oldrootless rw - tmpfs t rw\nshort\n"
	want := []string{"/oldroot/a b\\c", "/oldroot/proc", "/oldroot"}
	if got := below(text, "/oldroot"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzBelow(f *testing.F) {
	f.Add("22 21 8:2 / /oldroot rw,relatime - ext4 /dev/sda2 rw\n")
	f.Add("1 2 3 4 /oldroot/\\04\\9999\\134")
	f.Fuzz(func(t *testing.T, text string) {
		for _, dir := range below(text, "/oldroot") {
			if dir != "/oldroot" && filepath.Dir(dir)[:1] != "/" {
				t.Errorf("%q", dir)
			}
		}
	})
}

func TestProcesses(t *testing.T) {
	const user, kernel = "S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12", "S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0"
	l := &linux{proc: tree(t, map[string]string{
		"10/stat": "10 (getty) " + user, "11/stat": "11 (kworker/0:1) " + kernel,
		"12/stat": "12 (shutdown) " + user, "12/cmdline": "@iscsiroot\x00", "13/stat": "13 (exe) " + user, "13/cmdline": "@iscsiroot-agent\x00",
		"14/stat": "14 (plymouthd) " + user, "14/cmdline": "@plymouthd\x00", "self/stat": "x", "1/stat": "1 (init) " + user,
		"15/stat": "15 (a) Z (b) " + user, "16/stat": "16 (gone) Z 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12", "17/stat": "", "18/cmdline": "x",
		"19/stat": "19 (shutdown) " + user, "19/cmdline": "shutdown\x00-h\x00",
	})}
	if got := l.processes(true); !slices.Equal(got, []int{12, 13}) {
		t.Errorf("the agent's: %v", got)
	}
	if got := l.processes(false); !slices.Equal(got, []int{10, 14, 15, 19}) {
		t.Errorf("others: %v", got)
	}
}

// While one of the processes that were sent SIGTERM is left, no other is read; when none is, all
// are, since there may be new ones.
func TestRemaining(t *testing.T) {
	const user = "S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12"
	l := &linux{proc: tree(t, map[string]string{"5000010/stat": "5000010 (a) " + user, "5000011/stat": "5000011 (b) " + user})}
	l.Terminate() // the kernel gives no such number to a process
	end := func(pid string) {
		if err := os.RemoveAll(filepath.Join(l.proc, pid)); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want int) {
		t.Helper()
		if got := l.Remaining(); got != want {
			t.Errorf("%d are left, want %d", got, want)
		}
	}
	left(2)
	end("5000010")
	path := filepath.Join(l.proc, "5000012/stat")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("5000012 (c) "+user), 0o644)); err != nil {
		t.Fatal(err)
	}
	left(1)
	end("5000011")
	left(1)
	end("5000012")
	left(0)
}

// This process is found in the real /proc, by its name.
func TestReadStat(t *testing.T) {
	comm, lives := readStat("/proc/self/stat")
	b, err := os.ReadFile("/proc/self/comm")
	if !lives || err != nil || comm+"\n" != string(b) {
		t.Errorf("%q, lives %v; its name is %q, %v", comm, lives, b, err)
	}
	if comm, lives := readStat("/proc/2/stat"); lives {
		t.Errorf("%q, a thread of the kernel's, counts", comm)
	}
}

func TestFind(t *testing.T) {
	sys := tree(t, map[string]string{"devices/platform/host7/session3/iscsi_session/session3/state": "LOGGED_IN\n"})
	class := filepath.Join(sys, "class/iscsi_session")
	if err := errors.Join(os.MkdirAll(class, 0o755),
		os.Symlink("../../devices/platform/host7/session3/iscsi_session/session3", filepath.Join(class, "session3"))); err != nil {
		t.Fatal(err)
	}
	l := &linux{sys: sys, sessions: filepath.Join(tree(t, map[string]string{
		"sessions": "# comment\nsession 3 target iqn.a portal 10.0.0.1:3260 initiator iqn.b root\nsession 4 target iqn.c\nsession x\n",
	}), "sessions")}
	if got := l.find(); !slices.Equal(got, []sessionHost{{3, 7}}) {
		t.Errorf("got %v", got)
	}
	if got := (&linux{sessions: "/nowhere"}).find(); got != nil {
		t.Errorf("without a list: %v", got)
	}
}
