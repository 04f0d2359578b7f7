package initramfs

import (
	"io/fs"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// system checks that the image has the drivers for what the system on root mounts, and that LVM of
// that system will find its physical volumes.
func (c *checker) system(idx *kmod.Index, tree fs.FS) {
	s := c.m.System
	volumes := false
	for _, m := range s.Mounts {
		why := "for " + m.Dir + " in root's etc/fstab"
		if m.Type != "auto" {
			c.fileSystem(idx, tree, m.Type, why)
		}
		if !m.Volume {
			continue
		}
		volumes = true
		modules, _, _ := storage.Modules([]string{"lvm"})
		for _, name := range modules {
			c.checkModule(idx, tree, name, why)
		}
	}
	var places []string
	for _, pv := range s.Devices {
		if pv.FollowsDisk() {
			places = append(places, pv.Place()+" by "+pv.IDType)
		}
	}
	if volumes && len(places) > 0 {
		c.doubtful("root's etc/lvm/devices/system.devices lists %s: on a copy of that disk LVM of the real system finds no volume: run vgimportdevices there, or remove the file", strings.Join(places, ", "))
	}
}
