// Package netboot writes what a server needs that boots machines from a network, from one
// description of these machines: files for PXELINUX, iPXE and GRUB, an initramfs with its secret
// for each machine, and pieces of the configurations of dnsmasq, tgt and LIO.
//
// It works in three steps: Read checks the description, Room.Files makes all files in memory,
// Update compares them with what is there and writes the difference.
package netboot

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Room is a server and the machines that boot from it.
type Room struct {
	Server netip.Addr // of TFTP and HTTP, as the machines see it
	HTTP   string     // URL of the tree, without a slash at the end; empty: iPXE loads by TFTP
	Loader string     // what dnsmasq hands to machines, by its name: see BootLoader
	Hosts  []Host     // in the order of the file
}

// Host is one machine.
type Host struct {
	Name      string
	MAC       string       // aa:bb:cc:dd:ee:ff
	Address   netip.Prefix // with the length of its network
	Gateway   netip.Addr   // may be zero
	Interface string       // kernel's name; may be empty
	Initiator string
	Target    string
	Portals   []bootspec.Portal
	LUN       iscsi.LUN
	CHAP      *bootspec.Credential // nil: none
	Root      string               // may be empty
	Kernel    string               // path in the tree
	Initrd    string               // path in the tree
	Append    string               // more parameters
	Disk      string               // file or device that the target serves; may be empty

	secret string // the line of CHAP in its file
}

// Error is a mistake in a description.
type Error struct {
	File  string
	Line  int    // 0 if it is about no line
	Host  string // empty if it is about no host
	Field string // empty if it is about no field
	Cause string
}

// Error names the place first, as compilers do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Host != "" {
		fmt.Fprintf(&b, ": host %s", e.Host)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, ": %s", e.Field)
	}
	return b.String() + ": " + e.Cause
}

// dashes returns a MAC address as PXELINUX and GRUB name files by it.
func (h Host) dashes() string { return strings.ReplaceAll(h.MAC, ":", "-") }

// secretImage is the path of the host's own initramfs in the tree; empty if it has no secret.
func (h Host) secretImage() string {
	if h.CHAP == nil {
		return ""
	}
	return "secrets/" + h.Name + ".img"
}

// targetUser is the user by which the target answers. Where any is accepted, the target still needs
// one of its own: its name.
func (h Host) targetUser() string {
	if h.CHAP.TargetUser == "" {
		return h.Target
	}
	return h.CHAP.TargetUser
}
