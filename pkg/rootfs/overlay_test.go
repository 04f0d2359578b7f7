package rootfs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Only a LUN that can be written to stops a boot, and only if an overlay is requested and not
// ignored.
func TestCheckOverlay(t *testing.T) {
	sys := t.TempDir()
	writeFiles(t, map[string]string{
		filepath.Join(sys, "class/block/sda1/ro"): "0\n", filepath.Join(sys, "class/block/sda/ro"): "0\n",
		filepath.Join(sys, "class/block/sdb1/ro"): "1\n", filepath.Join(sys, "class/block/vda1/ro"): "0\n",
	})
	for _, tt := range []struct {
		line, root, fstype string
		stops              bool
	}{
		{"overlayroot=tmpfs", "sda1", "ext4", true},
		{"overlayroot=tmpfs", "sda", "xfs,ext4", true},
		{"rd.overlay rw", "sda1", "ext4", true},
		{"overlayroot=disabled", "sda1", "ext4", false},
		{"overlayroot=tmpfs rd.iscsiroot.ignore=lvm,overlay", "sda1", "ext4", false},
		{"overlayroot=tmpfs", "sdb1", "ext4", false},
		{"overlayroot=tmpfs", "sda1", "squashfs", false},
		{"overlayroot=tmpfs", "vda1", "ext4", false},
		{"rd.live.image rd.lvm.vg=x", "sda1", "ext4", false},
	} {
		plan, err := bootspec.Parse(cmdline.Parse(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		m, _ := withSessions(1)
		m.Plan, m.disks = &plan, []*blockdev.Device{ourDisk("sda", 0, 0), ourDisk("sdb", 0, 1)}
		root := Volume{Device: ourDisk(strings.TrimSuffix(tt.root, "1"), 0, 0), FSType: tt.fstype}
		if root.Name != tt.root {
			root.Device = partitionOf(root.Device, 1)
		}
		if err := m.checkOverlay(sys, root); (err != nil) != tt.stops || tt.stops && (sequence.Hint(err) == "" || sequence.Retryable(err)) {
			t.Errorf("%s on %s, %s: %v", tt.line, tt.root, tt.fstype, err)
		}
	}
}
