package netboot

import (
	"fmt"
	"strings"
)

// maxSay is how long a line of SAY is in bytes. PXELINUX cuts lines of some KiB.
const maxSay = 100

// pxelinux returns a configuration of PXELINUX in the HOWTO's form. Without a default it asks at
// the console. LINUX stands in place of KERNEL, which guesses from the end of a file's name what it
// is: vmlinuz-6.1.0 would be a boot program.
func pxelinux(hosts []Host, def string) string {
	var b strings.Builder
	b.WriteString(written)
	if def != "" {
		fmt.Fprintf(&b, "DEFAULT %s\n", def)
	} else {
		line := "SAY unknown machine: no file for its MAC address:"
		b.WriteString("PROMPT 1\n")
		for _, h := range hosts {
			if len(line)+1+len(h.Name) > maxSay {
				b.WriteString(line + "\n")
				line = "SAY"
			}
			line += " " + h.Name
		}
		b.WriteString(line + "\n")
	}
	for _, h := range hosts {
		// IPAPPEND 2 adds BOOTIF=, which names the card that the machine has booted from.
		fmt.Fprintf(&b, "\nLABEL %s\n   LINUX /%s\n   APPEND initrd=/%s %s\n   IPAPPEND 2\n",
			h.Name, h.Kernel, strings.Join(h.initrds(), ",/"), h.commandLine())
	}
	return b.String()
}
