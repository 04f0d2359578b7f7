package shutdown

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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
		want     Action
	}{
		{[]string{"poweroff", "--timeout", "90000000us"}, "", PowerOff},
		{[]string{"--log-level", "6", "kexec"}, "", Kexec},
		{[]string{"halt"}, "6", Halt},
		{[]string{"leave"}, "", Leave},
		{nil, "0", PowerOff},
		{[]string{"stop"}, "6", Reboot},
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
	got := make(chan Mark, 1)
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
	want, ok := parseMark([]string{"begun", "poweroff", "60"})
	if !ok || want != (Mark{PowerOff, time.Minute}) {
		t.Errorf("%+v", want)
	}
	if status := want.write(path); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if m := <-got; m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	if status := want.write(filepath.Join(path, "x")); status == 0 {
		t.Error("a file below a file was written")
	}
	if m, ok := parseMark([]string{"leave", "7"}); ok {
		t.Errorf("%+v without an end", m)
	}
}

func TestDown(t *testing.T) {
	const place = "devices/platform/host7/session3/iscsi_session/session3/state"
	sys := tree(t, map[string]string{
		place: "LOGGED_IN\n", "class/iscsi_connection/connection3:0/state": "up\n", "sessions": "session 3 target iqn.a\n",
	})
	class := filepath.Join(sys, "class/iscsi_session")
	if err := errors.Join(os.MkdirAll(class, 0o755), os.Symlink("../../"+filepath.Dir(place), filepath.Join(class, "session3"))); err != nil {
		t.Fatal(err)
	}
	l := &linux{sys: sys, sessions: filepath.Join(sys, "sessions")}
	if got := l.down(); got != nil {
		t.Errorf("%q are down", got)
	}
	if err := os.WriteFile(filepath.Join(sys, place), []byte("FAILED\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := l.down(); !slices.Equal(got, []string{"session 3"}) {
		t.Errorf("%q are down", got)
	}
}

func TestProgress(t *testing.T) {
	sys := tree(t, map[string]string{
		"devices/platform/host7/session3/iscsi_session/session3/state": "LOGGED_IN\n",
		"class/scsi_device/7:0:0:0/device/iodone_cnt":                  "0x1f\n",
		"class/scsi_device/7:0:0:1/device/iodone_cnt":                  "0x2\n",
		"class/scsi_device/8:0:0:0/device/iodone_cnt":                  "0x100\n", // somebody else's
		"sessions": "session 3 target iqn.a\n",
	})
	class := filepath.Join(sys, "class/iscsi_session")
	if err := errors.Join(os.MkdirAll(class, 0o755),
		os.Symlink("../../devices/platform/host7/session3/iscsi_session/session3", filepath.Join(class, "session3"))); err != nil {
		t.Fatal(err)
	}
	if got := (&linux{sys: sys, sessions: filepath.Join(sys, "sessions")}).Progress(); got != 0x21 {
		t.Errorf("%#x", got)
	}
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
	l := &linux{proc: tree(t, map[string]string{
		"10/cmdline": "/sbin/getty\x00tty1\x00", "11/cmdline": "", "12/cmdline": "@iscsiroot\x00",
		"13/cmdline": "@iscsiroot-agent\x00", "14/cmdline": "@plymouthd\x00", "self/cmdline": "x", "1/cmdline": "init [2]\x00",
	})}
	if got := l.processes(true); !slices.Equal(got, []int{12, 13}) {
		t.Errorf("the agent's: %v", got)
	}
	if got := l.processes(false); !slices.Equal(got, []int{10, 14}) {
		t.Errorf("others: %v", got)
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
	if got := l.find(); !slices.Equal(got, []found{{3, 7}}) {
		t.Errorf("got %v", got)
	}
	if got := (&linux{sessions: "/nowhere"}).find(); got != nil {
		t.Errorf("without a list: %v", got)
	}
}
