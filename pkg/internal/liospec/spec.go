// Package liospec is the configuration that pkg/lab/targets passes to the machine whose kernel is
// the target, as JSON in a file of its initramfs.
package liospec

import "net/netip"

// Path is the file in the initramfs.
const Path = "/etc/lio.json"

// Commands on the console. SetAccess is answered by AccessSet.
const (
	CountSessions = "sessions" // TARGET
	SetAccess     = "access"   // DISK GROUP STATE: numbers, the state as in SPC-4 6.27
	AccessSet     = "lio: access is set"
)

// Spec is the whole machine.
type Spec struct {
	// Modules are loaded in order.
	Modules []string
	// Addrs are those of each network device.
	Addrs [][]netip.Prefix
	// Disks is the number of virtio disks.
	Disks int
	// Targets are what it serves.
	Targets []Target
	// Discovery is what a discovery session requires.
	Discovery CHAP
}

// Target is one portal group of a target.
type Target struct {
	Name string
	// Group is the number of the portal group (TPGT).
	Group int
	// Access is whether the group has an access state of its own (ALUA).
	Access  bool
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
