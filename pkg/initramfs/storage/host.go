package storage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// OfHost returns the kinds that the root file system of this machine stands on. sys and proc are
// the mount points of sysfs and procfs.
func OfHost(sys, proc string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(proc, "self/mountinfo"))
	if err != nil {
		return nil, err
	}
	number := mounts.Number(string(text), "/")
	return below(filepath.Join(sys, "dev/block", number), maxStack), nil
}

// maxStack is how deep a stack of devices is followed.
const maxStack = 8

// below returns what the device of a directory of sysfs stands on. It has none for what is no block
// device: a file system in memory, of the network, or btrfs, which has a number of its own. Names
// of LVM's hidden volumes are of no other device (lvm2 lib/misc/lvm-string.c:
// _lvname_has_reserved_string). A partition is a directory in that of its device, and links to
// neither what it stands on nor to that.
func below(dir string, depth int) (out []string) {
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		at, _ := filepath.EvalSymlinks(dir) // it exists
		dir = filepath.Dir(at)
	}
	slaves, _ := os.ReadDir(filepath.Join(dir, "slaves"))
	for _, s := range slaves {
		if depth > 0 {
			out = append(out, below(filepath.Join(dir, "slaves", s.Name()), depth-1)...)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "md")); err == nil {
		out = append(out, "md")
	}
	id, _ := os.ReadFile(filepath.Join(dir, "dm/uuid"))
	name, _ := os.ReadFile(filepath.Join(dir, "dm/name"))
	if strings.HasPrefix(string(id), multipath.UUIDPrefix) {
		out = append(out, "multipath")
	}
	if strings.HasPrefix(string(id), "LVM-") {
		out = append(out, "lvm")
		switch {
		case strings.Contains(string(name), "_rimage_"):
			out = append(out, "lvm-raid")
		case strings.Contains(string(name), "_tdata"):
			out = append(out, "lvm-thin")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
