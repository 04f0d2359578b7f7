package mounts_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// read reads a table: testdata/machine has a machine's, testdata one by hand with a mount that has
// blanks in its name.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTable(t *testing.T) {
	text := read(t, "mounts")
	all := slices.Collect(mounts.Table(text))
	if len(all) != 8 {
		t.Fatalf("%d mounts", len(all))
	}
	for dir, want := range map[string]mounts.Mount{
		"/":                 {Source: "/dev/sda2", Dir: "/", Type: "ext4", Options: "rw,relatime"},
		"/run":              {Source: "tmpfs", Dir: "/run", Type: "tmpfs", Options: "rw,nosuid,nodev,size=99024k,mode=755,inode64"},
		"/mnt/a b\\c#d":     {Source: "/dev/sda 3", Dir: "/mnt/a b\\c#d", Type: "ext3", Options: "ro"},
		"/mnt/a\\040b":      {},
		"/proc/sys/nothing": {},
	} {
		if diff := cmp.Diff(want, mounts.On(text, dir)); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
	for range mounts.Table(text) {
		break
	}
}

// The topmost of the mounts on a directory counts; what is in the initramfs itself does not.
func TestOn(t *testing.T) {
	const table = "rootfs / rootfs rw 0 0\ntmpfs /run tmpfs rw,noexec 0 0\nnone /sys tmpfs rw 0 0\nsysfs /sys sysfs rw 0 0\nproc /proc/self proc rw 0 0\nodd\n" +
		"/dev/sda1 /sysroot ext2 ro 0 0\n/dev/sda2 /sysroot ext4 ro 0 0\n"
	for dir, want := range map[string]string{"/run": "tmpfs", "/sys": "sysfs", "/proc": "", "/dev": "", "/": "rootfs", "/sysroot": "ext4"} {
		if got := mounts.On(table, dir).Type; got != want {
			t.Errorf("on %s is %q, want %q", dir, got, want)
		}
	}
	if got := mounts.On(table, "/sysroot").Source; got != "/dev/sda2" {
		t.Errorf("got %q", got)
	}
	if got := mounts.On("", "/proc"); got != (mounts.Mount{}) {
		t.Errorf("without a table there is %q", got)
	}
}

func TestPoints(t *testing.T) {
	text := read(t, "mountinfo")
	want := []string{"/proc", "/", "/run", "/mnt/a b\\c#d", "/run/initramfs"}
	if diff := cmp.Diff(want, slices.Collect(mounts.Points(text))); diff != "" {
		t.Error(diff)
	}
	for range mounts.Points(text) {
		break
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", `\040`: " ", `a\011b\012c\134d\043`: "a\tb\nc\\d#", `\134040`: `\040`,
		`\`: `\`, `\04`: `\04`, `\400`: `\400`, `\377`: "\xff", `\089`: `\089`, `\\040`: `\ `, `a\040b\011c`: "a b\tc", `\400\888`: `\400\888`, `x\`: `x\`, `/a\040b\134`: `/a b\`, `/run`: "/run", `/a\040b\134c`: `/a b\c`, `\011`: "\t", `/a\`: `/a\`, `/a\04`: `/a\04`, `/a\999`: `/a\999`,
	} {
		if got := mounts.Unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// The law: what the kernel's way of escaping writes is read back, whatever the names.
func FuzzMounts(f *testing.F) {
	f.Add("/dev/sda2", "/mnt/a b", "ext4", "rw")
	f.Add("a\\040", "\t\n\\#", "fuse.x", "ro,context=\"a b\"")
	mangle := func(s string) string {
		s = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`, "#", `\043`).Replace(s)
		if s == "" || len(strings.Fields(s)) != 1 || strings.Fields(s)[0] != s {
			return "none" // blanks that the kernel does not know as such
		}
		return s
	}
	f.Fuzz(func(t *testing.T, source, dir, fstype, options string) {
		text := strings.Join([]string{mangle(source), mangle(dir), mangle(fstype), mangle(options), "0", "0"}, " ") + "\n"
		want := mounts.Mount{Source: mounts.Unescape(mangle(source)), Dir: mounts.Unescape(mangle(dir)), Type: mounts.Unescape(mangle(fstype)), Options: mounts.Unescape(mangle(options))}
		if got := slices.Collect(mounts.Table(text)); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %+v", text, got)
		}
		if mangle(dir) != "none" && want.Dir != dir {
			t.Errorf("%q is read as %q", dir, want.Dir)
		}
		info := "22 21 8:2 / " + mangle(dir) + " rw - ext4 /dev/sda2 rw\n"
		if got := slices.Collect(mounts.Points(info)); len(got) != 1 || got[0] != want.Dir {
			t.Errorf("%q: %q", info, got)
		}
		for range mounts.Table(source) {
		}
		for range mounts.Points(source) {
		}
	})
}

// The tables of testdata/machine are those of a Debian 12 machine whose root is a LUN, of the same
// moment: both have the same mount points, in the same order.
func TestMachine(t *testing.T) {
	table, info := read(t, "machine/mounts"), read(t, "machine/mountinfo")
	var dirs []string
	for m := range mounts.Table(table) {
		dirs = append(dirs, m.Dir)
	}
	if diff := cmp.Diff(dirs, slices.Collect(mounts.Points(info))); diff != "" || len(dirs) < 20 {
		t.Errorf("%d mounts, -mounts +mountinfo:\n%s", len(dirs), diff)
	}
	if got := mounts.Number(info, "/"); got != "8:2" {
		t.Errorf("root is %s", got)
	}
	if got := mounts.Number(info, "/nowhere"); got != "" {
		t.Errorf("what is not mounted is %s", got)
	}
	want := mounts.Mount{Source: "/dev/sda2", Dir: "/", Type: "ext4", Options: "rw,relatime,errors=remount-ro"}
	if got := mounts.On(table, "/"); got != want {
		t.Errorf("root is %+v", got)
	}
}
