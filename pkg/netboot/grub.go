package netboot

import (
	"fmt"
	"strings"
)

// grubStart finds a machine's file by the card that it booted from. Debian's signed GRUB looks for
// this one only. It cannot ask by TFTP whether a file is there.
const grubStart = written + `regexp --set=1:a --set=2:b --set=3:c --set=4:d --set=5:e --set=6:f '^(..):(..):(..):(..):(..):(..)$' "$net_default_mac"
set own="$prefix/grub.cfg-01-$a-$b-$c-$d-$e-$f"
if source "$own"; then
	set timeout=0
else
	echo "no file $own for this machine: is it in the hosts file?"
	sleep --interruptible 60
	reboot
fi
`

// grub returns a configuration of GRUB for one machine.
func grub(h Host) string {
	var initrds []string
	for _, i := range h.initrds() {
		initrds = append(initrds, "'/"+i+"'")
	}
	var words []string
	for word := range strings.FieldsSeq(h.commandLine() + " BOOTIF=01-" + h.dashes()) {
		words = append(words, "'"+word+"'") // plain has seen that no quote is in it
	}
	return written + fmt.Sprintf("set timeout=0\nmenuentry '%s' {\n\tlinux '/%s' %s\n\tinitrd %s\n}\n",
		h.Name, h.Kernel, strings.Join(words, " "), strings.Join(initrds, " "))
}
