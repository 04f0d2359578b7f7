package volumes

import "github.com/iscsiroot/iscsiroot/pkg/blockdev"

// Made is a device of device-mapper that the boot has made, for root or /usr.
type Made struct {
	Number blockdev.Number
	Name   string // in device-mapper
	// Hidden is set for a part of a volume: no one else is to use it.
	Hidden bool
	// Volume is the name of a volume as LVM has it, "vg/root"; empty for its parts.
	Volume string
}

// MadeOf returns the devices of volumes, each once, the lowest first. Plans of other layers'
// assemblies are skipped.
func MadeOf(plans []any) []Made {
	var out []Made
	seen := map[string]bool{}
	for _, plan := range plans {
		p, ok := plan.(*assembly)
		if !ok {
			continue
		}
		for i, v := range p.volumes {
			if seen[v.Name] {
				continue
			}
			seen[v.Name] = true
			m := Made{Number: blockdev.Number(p.numbers[v.Name]), Name: v.Name, Hidden: v.Hidden}
			if i == len(p.volumes)-1 {
				m.Volume = p.name
			}
			out = append(out, m)
		}
	}
	return out
}
