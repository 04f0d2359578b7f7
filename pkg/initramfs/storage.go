package initramfs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// selectStorage returns the modules for what root stands on: what is asked for, what the image's
// own parameters need, and in an image for any machine all that the tree has.
func selectStorage(idx *kmod.Index, cfg Config, warn func(error)) ([]string, error) {
	var out []string
	wanted := slices.Clone(cfg.Storage)
	if plan := ownPlan(cfg); needsLVM(plan) {
		wanted = append(wanted, "lvm")
	}
	for _, name := range wanted {
		required, useful := storage.Modules(name)
		if required == nil {
			return nil, fmt.Errorf("storage %s: not supported; use one of %s", name, strings.Join(storage.Supported(), ", "))
		}
		for _, m := range required { // one that the kernel has built in is in the index too
			if _, ok := idx.Resolve(m); !ok {
				return nil, fmt.Errorf("storage %s: %w", name, &kmod.NotFoundError{Name: m})
			}
		}
		out = append(append(out, required...), withFiles(idx, useful, warn)...)
	}
	if len(cfg.NICs)+len(cfg.Devices) == 0 && len(cfg.Storage) == 0 {
		for _, name := range storage.Supported() {
			required, useful := storage.Modules(name)
			out = append(out, withFiles(idx, append(required, useful...), warn)...)
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
