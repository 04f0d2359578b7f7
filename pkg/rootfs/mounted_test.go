package rootfs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// withRoot is a machine with a disk of a session, of two partitions, and a directory for root. Its
// kernel has tmpfs, which needs no disk.
func withRoot(t *testing.T, line string) (*Storage, func() []string) {
	t.Helper()
	if err := os.RemoveAll("/sysroot"); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, map[string]string{"/proc/filesystems": "nodev\ttmpfs\n\text4\n", "/sysroot/none": ""})
	fakeDisk(t, "/sys", "sda", 1, 2)
	writeFiles(t, map[string]string{"/sys/class/block/sda/ro": "0\n", "/sys/class/block/sda1/ro": "0\n", "/dev/sda": "", "/dev/sda1": "", "/dev/sda2": "", "/sys/class/iscsi_session/session7/device/none": ""})
	plan, err := bootspec.Parse(cmdline.Parse(line))
	if err != nil {
		t.Fatal(err)
	}
	st, log := withSessions(1)
	st.Plan, st.Spec.Root, st.Spec.Targets[0].LUN = &plan, plan.Root, lunGiven(0) // no other is searched
	st.disks = append(st.disks, ourDisk("sda", 0, 0))
	return st, log.Lines
}

// flags are those of the file system that is mounted on a directory.
func flags(t *testing.T, dir string) (mounted, readOnly bool) {
	t.Helper()
	var at, above unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Stat(dir, &at), unix.Stat(dir+"/..", &above), unix.Statfs(dir, &fs)); err != nil {
		t.Fatal(err)
	}
	return at.Dev != above.Dev, fs.Flags&unix.ST_RDONLY != 0
}

// Root is mounted read-only unless rw is given, and not at all below an overlay that is not
// supported.
func TestMount(t *testing.T) {
	onMachine(t, func() {
		for _, tt := range []struct {
			line              string
			mounted, readOnly bool
			err               string
		}{
			{"", true, true, ""},
			{"ro", true, true, ""},
			{"rw", true, false, ""},
			{"rd.overlay", false, false, "overlay"},
			{"rootflags=bogus=1", false, false, "invalid argument"},
		} {
			st, _ := withRoot(t, tt.line)
			root := Volume{Device: partitionOf(st.disks[0], 1), FSType: "tmpfs"}
			got, err := st.Mount(t.Context(), root)
			if (err != nil) != (tt.err != "") || err != nil && (!strings.Contains(err.Error(), tt.err) || sequence.Hint(err) == "") || got.FSType != "tmpfs" {
				t.Errorf("%q: %+v, error %v (%s)", tt.line, got, err, sequence.Hint(err))
			}
			mounted, readOnly := flags(t, Sysroot)
			if mounted != tt.mounted || mounted && readOnly != tt.readOnly {
				t.Errorf("%q: mounted %v, read-only %v", tt.line, mounted, readOnly)
			}
			if mounted {
				if err := unix.Unmount(Sysroot, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// /usr of root's fstab is mounted as root is. What cannot be mounted ends the boot, unless the line
// has nofail; what is no disk, or noauto, is left to the real system.
func TestMountUsr(t *testing.T) {
	onMachine(t, func() {
		const missing = "/usr UUID=1: no such device on the disks of the iSCSI sessions"
		for _, tt := range []struct {
			name, line, fstab string
			dir               bool // there is a directory for it
			err, log          string
			mounted, readOnly bool
		}{
			{"no fstab", "", "", true, "", "", false, false},
			{"no line for it", "", "/dev/sda2 /srv tmpfs defaults\n", true, "", "", false, false},
			{"a line", "", "/dev/sda2 /usr tmpfs defaults\n", true, "", "info /usr is /dev/sda2 (tmpfs)", true, true},
			{"a line, and root is writable", "rw", "/dev/sda2 /usr tmpfs defaults\n", true, "", "info /usr is /dev/sda2 (tmpfs)", true, false},
			{"noauto", "", "/dev/sda2 /usr tmpfs noauto\n", true, "", "", false, false},
			{"NFS", "", "10.1.1.1:/usr /usr nfs defaults\n", true, "", "warning /usr on 10.1.1.1:/usr in root's etc/fstab is not a disk: leaving it to the real system", false, false},
			{"a disk that does not exist", "", "UUID=1 /usr ext4 defaults\n", true, "root's etc/fstab: " + missing, "", false, false},
			{"and nofail", "", "UUID=1 /usr ext4 nofail\n", true, "", "warning " + missing, false, false},
			{"no directory", "", "/dev/sda2 /usr tmpfs defaults\n", false, "root's etc/fstab: /usr: not a directory", "", false, false},
			{"options that the kernel refuses", "", "/dev/sda2 /usr tmpfs bogus=1\n", true, "root's etc/fstab: /usr: mount", "", false, false},
		} {
			st, lines := withRoot(t, tt.line)
			if tt.dir {
				writeFiles(t, map[string]string{"/sysroot/usr/none": ""})
			}
			if tt.fstab != "" {
				writeFiles(t, map[string]string{"/sysroot/etc/fstab": tt.fstab})
			}
			err := st.mountUsr(t.Context(), Volume{Device: partitionOf(st.disks[0], 1), FSType: "ext4"})
			if (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %s", tt.name, err, tt.err)
			}
			if got := strings.Join(lines(), "\n"); got != tt.log {
				t.Errorf("%s: log %q, want %q", tt.name, got, tt.log)
			}
			if !tt.dir {
				continue
			}
			if mounted, readOnly := flags(t, "/sysroot/usr"); mounted != tt.mounted || mounted && readOnly != tt.readOnly {
				t.Errorf("%s: mounted %v, read-only %v", tt.name, mounted, readOnly)
			} else if mounted {
				if err := unix.Unmount("/sysroot/usr", 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		st, lines := withRoot(t, "")
		writeFiles(t, map[string]string{"/sysroot/etc/fstab/below": ""})
		if err := st.mountUsr(t.Context(), Volume{Device: st.disks[0]}); err != nil || !strings.HasPrefix(strings.Join(lines(), "\n"), "warning /usr is not mounted: ") {
			t.Errorf("a directory for fstab: %v, %q", err, lines())
		}
	})
}

// The error of a root that holds no init has what to do, by where the name of the init is from.
func TestCheckWithoutInit(t *testing.T) {
	onMachine(t, func() {
		for line, hint := range map[string]string{
			"":             "check that this is the root file system; correct root=, or name the program with init=PATH",
			"init=/bin/sh": "correct init=",
		} {
			st, _ := withRoot(t, line)
			start, err := st.Check(t.Context(), Volume{Device: st.disks[0]})
			if err == nil || start.Init != "" || sequence.Hint(err) != hint {
				t.Errorf("%q: %+v, %v (%s)", line, start, err, sequence.Hint(err))
			}
		}
	})
}
