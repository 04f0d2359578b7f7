package netboot

import (
	"fmt"
	"path"
	"strings"
)

// ipxeStart finds a machine's script by the card that is in use.
const ipxeStart = `#!ipxe
` + written + `chain ${netX/mac:hexhyp}.ipxe || goto unknown
:unknown
echo no script for ${netX/mac:hexhyp}: is this machine in the hosts file?
prompt --timeout 60000 press a key for a shell && shell ||
reboot
`

// base is the URL of the tree for iPXE.
func (r *Room) base() string {
	if r.HTTP != "" {
		return r.HTTP
	}
	host := r.Server.String()
	if r.Server.Is6() {
		host = "[" + host + "]"
	}
	return "tftp://" + host
}

// ipxe returns a script that loads kernel and images.
func (r *Room) ipxe(h Host) string { return "#!ipxe\n" + written + r.load(h) }

// load is the part of a script that loads kernel and images. Under EFI the kernel finds its images
// by their names on the command line; under BIOS it passes over them.
func (r *Room) load(h Host) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %s/%s", r.base(), h.Kernel)
	for _, i := range h.initrds() {
		fmt.Fprintf(&b, " initrd=%s", path.Base(i))
	}
	fmt.Fprintf(&b, " %s BOOTIF=01-%s\n", h.commandLine(), h.dashes())
	for _, i := range h.initrds() {
		fmt.Fprintf(&b, "initrd --name %s %s/%s\n", path.Base(i), r.base(), i)
	}
	b.WriteString("boot\n")
	return b.String()
}

// sanhook returns a script that makes iPXE log in first and leave the session's description, the
// iBFT, to the kernel.
func (r *Room) sanhook(h Host) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#!ipxe\n%sset initiator-iqn %s\nset keep-san 1\n", written, h.Initiator)
	if h.CHAP != nil {
		secrets := []struct{ name, value string }{
			{"username", h.CHAP.User},
			{"password", string(h.CHAP.Secret.Bytes())},
			{"reverse-username", h.CHAP.TargetUser},
			{"reverse-password", string(h.CHAP.TargetSecret.Bytes())},
		}
		for _, s := range secrets {
			switch {
			case s.value == "":
			case plain(s.value):
				fmt.Fprintf(&b, "set %s %s\n", s.name, s.value)
			default:
				fmt.Fprintf(&b, "# %s has characters that are special to iPXE: the login will fail\n", s.name)
			}
		}
	}
	fmt.Fprintf(&b, "sanhook --drive 0x80 %s\n%s", h.rootPath(), r.load(h))
	return b.String()
}
