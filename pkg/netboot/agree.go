package netboot

import "strings"

// agree sees that the machines of each target say the same of it, as both targets' configurations
// have one entry for all of them, and that no two LUNs are one disk.
func (r *reader) agree(sections []section, hosts []Host) {
	targets, luns, disks := map[string]Host{}, map[string]Host{}, map[string]Host{}
	for i, h := range hosts {
		if h.Disk == "" || h.Target == "" {
			continue
		}
		failf := func(key, format string, args ...any) {
			line := sections[i].line
			if f, ok := sections[i].fields[key]; ok {
				line = f.line
			}
			r.failf(line, h.Name, key, format, args...)
		}
		if _, ok := h.LUN.Number(); !ok {
			failf("lun", "%s is not a number, and targets are configured by numbers: write one, or no disk", h.LUN.String())
			continue
		}
		for _, n := range []struct{ key, name string }{{"target", h.Target}, {"initiator", h.Initiator}} {
			if strings.Contains(n.name, "_") { // nor has RFC 7143 4.2.7.2
				failf(n.key, "%s has an underscore, which tgt and LIO have not in names: write a hyphen, or no disk", n.name)
			}
		}
		target := strings.ToLower(h.Target)
		lun := target + " " + h.LUN.String()
		if other, ok := targets[target]; ok {
			switch {
			case other.Target != h.Target:
				failf("target", "host %s writes it %s: write it in the same way", other.Name, other.Target)
			case (other.CHAP == nil) != (h.CHAP == nil):
				failf("chap", "host %s and this host have one target, and one of them has a secret for it: a target asks both or none", other.Name)
			}
		} else {
			targets[target] = h
		}
		if other, ok := luns[lun]; ok && other.Disk != h.Disk {
			failf("disk", "host %s has %s for the same LUN: write the same", other.Name, other.Disk)
		} else if !ok {
			luns[lun] = h
		}
		if other, ok := disks[h.Disk]; ok && strings.ToLower(other.Target)+" "+other.LUN.String() != lun {
			failf("disk", "host %s has it too, as another LUN: two machines that write to one disk destroy it", other.Name)
		} else if !ok {
			disks[h.Disk] = h
		}
	}
}
