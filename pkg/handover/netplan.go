package handover

import (
	"fmt"
	"strings"
)

// netplan marks the root's Ethernet definitions critical: netplan merges a
// definition of the same id in a later file into the first, and takes no such
// link down when it applies a change (netplan(5), critical).
func netplan(r Root) []File {
	if len(r.Netplan) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("# From iscsiroot: root hangs on this network.\nnetwork:\n  version: 2\n  ethernets:\n")
	for _, id := range r.Netplan {
		_, _ = fmt.Fprintf(&b, "    %q:\n      critical: true\n", id)
	}
	return []File{{Path: "netplan/zz-iscsiroot.yaml", Mode: 0o600, Content: b.String()}} // netplan warns of any other mode
}
