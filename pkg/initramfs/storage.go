package initramfs

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// selectStorage returns the modules for what root stands on: what is asked for, what the image's
// own parameters need, and in an image for any machine all that the tree has.
func selectStorage(idx *kmod.Index, cfg Config, warn func(error)) ([]string, error) {
	required, useful, err := storage.Modules(append(storage.Named(ownPlan(cfg)), cfg.Storage...))
	if err != nil {
		return nil, err
	}
	if len(cfg.NICs)+len(cfg.Devices)+len(cfg.Storage) == 0 {
		all, more, _ := storage.Modules(storage.Supported())
		useful = slices.Concat(useful, all, more)
	}
	out := append(required, withFiles(idx, useful, warn)...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// ownPlan reads the parameters inside of an image; its errors are reported elsewhere.
func ownPlan(cfg Config) bootspec.Plan {
	text := cfg.Default + " " + cfg.Policy
	if cfg.UKI != nil {
		text += " " + cfg.UKI.CommandLine
	}
	plan, _ := bootspec.Parse(cmdline.Parse(text))
	return plan
}
