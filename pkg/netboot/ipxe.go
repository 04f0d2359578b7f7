package netboot

import (
	"fmt"
	"path"
	"slices"
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

// sanhookFile is the path of the machine's script of sanhook.
func (h Host) sanhookFile() string { return tree + "/ipxe/" + h.dashes() + "-sanhook.ipxe" }

// sanhook returns a script that makes iPXE log in first and leave the session's description, the
// iBFT, to the kernel. It stops where iPXE cannot be given user or secret.
func (r *Room) sanhook(h Host) string {
	if why := h.sanhookLacks(); why != "" {
		return "#!ipxe\n" + written + "echo " + why + "\nexit 1\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#!ipxe\n%sset initiator-iqn %s\nset keep-san 1\n", written, h.Initiator)
	for _, s := range h.sanhookSettings() {
		fmt.Fprintf(&b, "set %s %s\n", s.name, s.value)
	}
	fmt.Fprintf(&b, "sanhook --drive 0x80 %s\n%s", h.rootPath(), r.load(h))
	return b.String()
}

type setting struct{ name, value string }

// sanhookSettings are iPXE's settings for CHAP.
func (h Host) sanhookSettings() []setting {
	if h.CHAP == nil {
		return nil
	}
	out := []setting{{"username", h.CHAP.User}, {"password", string(h.CHAP.Secret.Bytes())}}
	if !h.CHAP.TargetSecret.Empty() {
		out = append(out, setting{"reverse-username", h.targetUser()}, setting{"reverse-password", string(h.CHAP.TargetSecret.Bytes())})
	}
	return out
}

// sanhookLacks tells why there is no script of sanhook that logs in; empty if there is. iPXE joins
// the words of a line by one blank each, a word with # begins a comment, and there are no quotes
// (src/core/exec.c: split_command, command_terminator).
func (h Host) sanhookLacks() string {
	for _, s := range h.sanhookSettings() {
		words := strings.Fields(s.value)
		if s.value == "" || !plain(s.value) || strings.Join(words, " ") != s.value || slices.ContainsFunc(words, func(w string) bool { return w[0] == '#' }) {
			return "iPXE cannot be given the " + s.name + " of host " + h.Name + ": use printable ASCII without quotes and special characters"
		}
	}
	return ""
}
