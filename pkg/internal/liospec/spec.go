// Package liospec is the configuration that pkg/lab/targets passes to the machine whose kernel is
// the target, as JSON in a file of its initramfs.
package liospec

import "net/netip"

// Path is the file in the initramfs.
const Path = "/etc/lio.json"

// CountSessions is a command on the console, with a target's name after it.
const CountSessions = "sessions"

// Spec is the whole machine.
type Spec struct {
	// Modules are loaded in order.
	Modules []string
	// Addrs are those of the only network device.
	Addrs []netip.Prefix
	// Disks is the number of virtio disks.
	Disks int
	// Targets are what it serves.
	Targets []Target
	// Discovery is what a discovery session requires.
	Discovery CHAP
}

// Target is one target with one portal group.
type Target struct {
	Name    string
	Portals []netip.AddrPort
	// LUNs maps LUN to the number of a disk.
	LUNs map[int]int
	// Initiators is the access list.
	Initiators []string
	// Login is what a login requires.
	Login CHAP
	// Keys are pairs of an attribute's path below the portal group, and its value.
	Keys []string
}

// CHAP holds names and secrets; empty names: none.
type CHAP struct{ User, Secret, MutualUser, MutualSecret string }
