package netboot

import "fmt"

// LeftOut tells what the files do not hold because their formats cannot, one line each. What
// machines load by default is whole in any case.
func (r *Room) LeftOut() []string {
	var out []string
	names, _ := r.byTarget()
	lacks := r.tgtLacks()
	for _, name := range names {
		if why := lacks[name]; why != "" {
			out = append(out, fmt.Sprintf("tgt.conf has no target %s: %s", name, why))
		}
	}
	for _, h := range r.Hosts {
		if why := h.rootPathLacks(); why != "" {
			out = append(out, fmt.Sprintf("dnsmasq.conf has no root path for host %s: %s", h.Name, why))
		}
		if why := h.sanhookLacks(); why != "" {
			out = append(out, fmt.Sprintf("%s does not log in: %s", h.sanhookFile(), why))
		}
	}
	return out
}
