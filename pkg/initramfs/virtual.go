package initramfs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// virtualDevices are the modules of what can be made of network cards, by the names that
// Config.Network takes.
var virtualDevices = map[string]string{"vlan": "8021q", "bond": "bonding", "bridge": "bridge"}

// SupportedNetwork returns the names that Config.Network takes.
func SupportedNetwork() []string { return []string{"vlan", "bond", "bridge"} }

// selectVirtual returns the modules for VLANs, bonds and bridges: those that are requested, those
// that the image's own parameters need, and in an image for any card all of the tree.
func selectVirtual(idx *kmod.Index, cfg Config, warn func(error)) ([]string, error) {
	var out []string
	for _, name := range cfg.Network {
		module, ok := virtualDevices[name]
		if !ok {
			return nil, fmt.Errorf("network device %s: not supported; use one of %s", name, strings.Join(SupportedNetwork(), ", "))
		}
		out = append(out, module)
	}
	plan := ownPlan(cfg)
	out = append(out, plan.Net.Modules()...)
	if len(cfg.NICs)+len(cfg.Devices) == 0 {
		for _, name := range SupportedNetwork() {
			out = append(out, withFiles(idx, []string{virtualDevices[name]}, warn)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
