package rootfs

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

// Made returns the devices that the volumes in use are made of, each once, the lowest first.
func (st *Storage) Made() []Made {
	var out []Made
	seen := map[string]bool{}
	for _, a := range st.active {
		p, ok := a.assembly.Plan.(*volumePlan)
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
