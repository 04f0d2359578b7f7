package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// fakeDisk makes a disk of 8 MiB in a sysfs with partitions of 1 MiB.
func fakeDisk(t *testing.T, sys, name string, partitions ...int) {
	t.Helper()
	dir := filepath.Join(sys, "class/block", name)
	files := map[string]string{filepath.Join(dir, "size"): "16384\n"}
	for _, n := range partitions {
		part := filepath.Join(dir, name+strconv.Itoa(n))
		files[filepath.Join(part, "size")] = "2048\n"
		files[filepath.Join(part, "partition")] = strconv.Itoa(n) + "\n"
	}
	writeFiles(t, files)
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ourDisk is a disk of the i-th of someSessions.
func ourDisk(name string, i int, lun uint64) *blockdev.Device {
	return newDisk(blockdev.LUN{Session: someSessions(i + 1)[i].SID, Number: lun, Disk: name})
}

// someSessions are n sessions with a target of their own each.
func someSessions(n int) []*session.Session {
	var out []*session.Session
	for i := range n {
		out = append(out, &session.Session{Record: session.Record{SID: uint32(7 + i), Target: fmt.Sprintf("iqn.x:%d", i)}})
	}
	return out
}

// partitionOf is the n-th partition of a disk.
func partitionOf(disk *blockdev.Device, n int) *blockdev.Device {
	return &blockdev.Device{
		Name: disk.Name + strconv.Itoa(n), Kind: blockdev.KindPartition,
		Parents: []*blockdev.Device{disk}, Partition: &blockdev.Partition{Number: n},
	}
}

func names(devices []*blockdev.Device) string {
	var out []string
	for _, d := range devices {
		out = append(out, d.Name)
	}
	return strings.Join(out, " ")
}

// The disks are counted in the order of the sessions, with any names of the kernel: here a local
// disk is sda, and the targets' disks are sdb and sdc.
func TestCandidates(t *testing.T) {
	sys := t.TempDir()
	fakeDisk(t, sys, "sda", 1, 2, 3)
	fakeDisk(t, sys, "sdb", 1, 2, 3)
	fakeDisk(t, sys, "sdc", 1)
	fakeDisk(t, sys, "sdd")
	const noDevice = ": no such device on the disks of the iSCSI sessions"
	tests := []struct{ name, root, disks, want, err, hint string }{
		{"partition 2 first, the whole disk last", "", "sdb", "sdb2 sdb1 sdb3 sdb", "", ""},
		{"disk by disk", "", "sdb sdc sdd", "sdb2 sdb1 sdb3 sdb sdc1 sdc sdd", "", ""},
		{"first disk's partition", "root=/dev/sda2", "sdb", "sdb2", "", ""},
		{"first disk", "root=/dev/sda", "sdb", "sdb", "", ""},
		{"second disk's partition", "root=/dev/sdb1", "sdb sdc", "sdc1", "", ""},
		{"first letter, whichever disk has it", "root=/dev/sda1", "sdd sdb sdc", "sdb1 sdc1", "", ""},
		{"no such partition", "root=/dev/sda7", "sdc", "", "root /dev/sda7" + noDevice, "correct root=: there is sdc (8 MiB), sdc1 (1 MiB)"},
		{"no such disk", "root=/dev/sdb1", "sdc", "", "root /dev/sdb1" + noDevice, "correct root=: there is sdc (8 MiB), sdc1 (1 MiB)"},
		{"disk is removed", "", "sdx", "", "list partitions of sdx: ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := bootspec.Parse(cmdline.Parse(tt.root))
			if err != nil {
				t.Fatal(err)
			}
			m := rootAt(plan.Root, 1)
			for _, d := range strings.Fields(tt.disks) {
				m.disks = append(m.disks, ourDisk(d, 0, 0))
			}
			var got []*blockdev.Device
			if d := m.Spec.Root.Device; d.Given() {
				got, err = m.search(t.Context(), paths{sys, "/dev"}, d.V)
			} else {
				got, err = m.everything(t, sys)
			}
			if names(got) != tt.want {
				t.Errorf("candidates are %q, want %q", names(got), tt.want)
			}
			if (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("error is %v, want %s", err, tt.err)
			}
			if got := sequence.Hint(err); got != tt.hint {
				t.Errorf("hint is %q, want %q", got, tt.hint)
			}
		})
	}
}

// The type of rootfstype= is not checked, and with init= no other init is looked for.
func TestProbeWithRootfstype(t *testing.T) {
	m, _ := withSessions(0)
	m.Spec.Root.FSType = bootspec.Value[string]{V: "ext3", From: "rootfstype="}
	d := partitionOf(ourDisk("none", 0, 0), 2)
	c, err := m.probe(t.Context(), d)
	if want := (Volume{Device: d, FSType: "ext3"}); c != want || err != nil {
		t.Errorf("volume is %+v, error %v, want %+v", c, err, want)
	}
	m.Plan.Init = bootspec.Value[string]{V: "/bin/sh", From: "init="}
	if diff := cmp.Diff([]string{"/bin/sh"}, m.inits()); diff != "" {
		t.Errorf("inits -want +got:\n%s", diff)
	}
	m.Plan.Init = bootspec.Value[string]{}
	if got := m.inits(); len(got) < 2 || got[0] != "/sbin/init" {
		t.Errorf("inits are %q, want /sbin/init and others", got)
	}
}
