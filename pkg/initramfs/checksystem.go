package initramfs

import (
	"io/fs"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// system checks that the image has the drivers for root, and for what the system on it mounts, and
// that LVM of that system will find its physical volumes.
func (c *checker) system(idx *kmod.Index, tree fs.FS) {
	for _, m := range c.m.System.Mounts {
		if m.Type != "auto" {
			c.fileSystem(idx, tree, m.Type, "for "+m.Dir+" in root's etc/fstab")
		}
	}
	for _, n := range c.m.System.Needs(c.plan.Root) {
		for _, text := range n.Unmet(func(module string) []string { return lacks(idx, tree, module) }) {
			c.findings = append(c.findings, Finding{n.Sure, text})
		}
	}
	if text := c.m.System.BoundToDisk(); text != "" {
		c.doubtful("%s", text)
	}
}
