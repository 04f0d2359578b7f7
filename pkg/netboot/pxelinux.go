package netboot

import (
	"fmt"
	"strings"
)

// pxelinux returns a configuration of PXELINUX in the HOWTO's form. Without a default it asks at
// the console.
func pxelinux(hosts []Host, def string) string {
	var b strings.Builder
	b.WriteString(written)
	if def != "" {
		fmt.Fprintf(&b, "DEFAULT %s\n", def)
	} else {
		b.WriteString("PROMPT 1\nSAY unknown machine: no file for its MAC address:")
		for _, h := range hosts {
			b.WriteString(" " + h.Name)
		}
		b.WriteString("\n")
	}
	for _, h := range hosts {
		// IPAPPEND 2 adds BOOTIF=, which names the card that the machine has booted from.
		fmt.Fprintf(&b, "\nLABEL %s\n   KERNEL /%s\n   APPEND initrd=/%s %s\n   IPAPPEND 2\n",
			h.Name, h.Kernel, strings.Join(h.initrds(), ",/"), h.commandLine())
	}
	return b.String()
}
