package initramfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// SupportedStorage returns the names that Config.Storage takes: what root can stand on beside disks
// and partitions.
func SupportedStorage() []string { return []string{"lvm", "lvm-raid", "lvm-thin"} }

// storageModules returns the modules that a name of Config.Storage stands for, of which the first
// are those that an image cannot do without.
func storageModules(name string) (required, useful []string) {
	switch name {
	case "lvm":
		return []string{"dm_mod"}, nil
	case "lvm-raid": // the kernel loads that of the level when the raid is made (drivers/md/md.c: md_run)
		return []string{"dm_mod", "dm_raid"}, []string{"raid0", "raid1", "raid10", "raid456"}
	case "lvm-thin":
		return []string{"dm_mod", "dm_thin_pool"}, nil
	}
	return nil, nil
}

// selectStorage returns the modules for what root stands on: what is asked for, what the image's
// own parameters need, and in an image for any machine all that the tree has.
func selectStorage(idx *kmod.Index, cfg Config, warn func(error)) ([]string, error) {
	var out []string
	wanted := slices.Clone(cfg.Storage)
	if plan := ownPlan(cfg); needsLVM(plan) {
		wanted = append(wanted, "lvm")
	}
	for _, name := range wanted {
		required, useful := storageModules(name)
		if required == nil {
			return nil, fmt.Errorf("storage %s: not supported; use one of %s", name, strings.Join(SupportedStorage(), ", "))
		}
		for _, m := range required { // one that the kernel has built in is in the index too
			if _, ok := idx.Resolve(m); !ok {
				return nil, fmt.Errorf("storage %s: %w", name, &kmod.NotFoundError{Name: m})
			}
		}
		out = append(append(out, required...), present(idx, useful, warn)...)
	}
	if len(cfg.NICs)+len(cfg.Devices) == 0 && len(cfg.Storage) == 0 {
		for _, name := range SupportedStorage() {
			required, useful := storageModules(name)
			out = append(out, present(idx, append(required, useful...), warn)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// ownPlan reads the parameters inside of an image; what is wrong with them is told elsewhere.
func ownPlan(cfg Config) bootspec.Plan {
	text := cfg.Default + " " + cfg.Policy
	if cfg.UKI != nil {
		text += " " + cfg.UKI.CommandLine
	}
	plan, _ := bootspec.Parse(cmdline.Parse(text))
	return plan
}

// needsLVM reports whether parameters name a logical volume or its group.
func needsLVM(p bootspec.Plan) bool {
	return p.Root.Device.V.By == bootspec.ByVolume || len(p.Root.LVM.Names) > 0
}

// HostStorage returns what the root file system of this machine stands on, by the names that
// Config.Storage takes. sys and proc are the mount points of sysfs and procfs.
func HostStorage(sys, proc string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(proc, "self/mountinfo"))
	if err != nil {
		return nil, err
	}
	number := mounts.Number(string(text), "/")
	return storageOf(filepath.Join(sys, "dev/block", number), maxStack), nil
}

// maxStack is how deep a stack of devices is followed.
const maxStack = 8

// storageOf returns what the device of a directory of sysfs stands on. It has none for what is no
// block device: a file system in memory, of the network, or btrfs, which has a number of its own.
// Names of LVM's hidden volumes are of no other device (lvm2 lib/misc/lvm-string.c:
// _lvname_has_reserved_string).
func storageOf(dir string, depth int) (out []string) {
	slaves, _ := os.ReadDir(filepath.Join(dir, "slaves"))
	for _, s := range slaves {
		if depth > 0 {
			out = append(out, storageOf(filepath.Join(dir, "slaves", s.Name()), depth-1)...)
		}
	}
	id, _ := os.ReadFile(filepath.Join(dir, "dm/uuid"))
	name, _ := os.ReadFile(filepath.Join(dir, "dm/name"))
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
