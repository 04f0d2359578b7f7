package bootspec

import (
	"math"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Value is a value with the place it came from; the zero Value is "not given".
type Value[T any] struct {
	V T
	// From names the source as a user would: `iscsi_t=`, "default". Empty means that nobody
	// gave the value.
	From string
}

// Given tells whether anybody gave the value.
func (v Value[T]) Given() bool { return v.From != "" }

// IsParameter tells whether a value's source is a word of the command line, or of a file of the
// image, and not what firmware, DHCP or the machine has.
func IsParameter(from string) bool {
	word, _, _ := strings.Cut(from, " in ")
	word, _, _ = strings.Cut(word, ", ")
	return from != "" && !strings.Contains(word, " ")
}

// Or returns the value, or other if it was not given.
func (v Value[T]) Or(other T) T {
	if v.Given() {
		return v.V
	}
	return other
}

// Plan is what can be known before the network is up.
type Plan struct {
	Net       Net
	Initiator Value[string] // iSCSI name, at most 223 bytes
	Targets   []Target      // in the order in which their disks are counted
	Login     Login
	Root      Root
	Init      Value[string] // path in the root of the program to run there
	Policy    Policy
	Firmware  Value[bool] // the iBFT's targets are wanted; not given: if nobody else names one
	HasIBFT   bool        // the firmware left a table
	// NoFirmwareTarget: the table has no target that can be used.
	NoFirmwareTarget bool
	ByDHCP           Value[bool] // root=dhcp: DHCP names the target
	// UUID is this machine's from its SMBIOS, in lower case; empty if it has none. The caller
	// reads it. It names an initiator that no source names, unless many machines have it.
	UUID string
	// MACNames: the caller's facts will have the MAC of the boot's NIC, which names an
	// initiator where there is no UUID.
	MACNames bool
	// Credentials are what the image's file holds; the caller reads it.
	Credentials []Credential
	// Modules are what the parameters have for kernel modules.
	Modules Modules
	// Ignore lists kinds of words, with commas, that are known to do nothing here.
	Ignore Value[string]
	// Overlay names the words that ask for a writable layer over root, which is not supported;
	// empty if there are none, or they are to be ignored.
	Overlay string
	// Warnings are for the screen: contradictions, words that look like ours and are not
	// understood.
	Warnings []string
}

// Spec is all that the steps after the network need.
type Spec struct {
	Initiator string
	// InitiatorFrom names the source of that where it is no parameter: "iBFT initiator", "DHCP
	// option 203 from 10.1.1.1".
	InitiatorFrom string
	Targets       []Target // in the order in which sda, sdb, ... are counted
	Login         Login
	// Nameservers resolve the names of portals, in their order.
	Nameservers []netip.Addr
	Root        Root
	Init        Value[string]
	Policy      Policy
}

// Root is the file system to switch to.
type Root struct {
	Device    Value[Device]        // not given: sda2, then whatever holds an init
	Fallbacks []Value[Device]      // in their order, if Device was waited for in vain
	FSType    Value[string]        // types to try, with commas; not given: by superblock
	Flags     Value[string]        // mount options, comma-separated
	ReadWrite Value[bool]          // not given: read-only
	AnyDisk   Value[bool]          // look at disks that are not of our sessions too
	Wait      Value[time.Duration] // for the device to appear, or Forever; not given: a few seconds
	Delay     Value[time.Duration] // before root is looked for
}

// Forever is a time that does not end.
const Forever time.Duration = math.MaxInt64

// Policy is what to do when something goes wrong, and where to stop.
type Policy struct {
	Timeout   Value[time.Duration] // how long to retry errors that can pass; 0 or not given: for ever
	Emergency Value[Emergency]     // what to do at the end; not given: Reboot
	Break     []Value[string]      // steps before which the shell opens
	Shell     Value[string]        // path of the shell, "" for the built-in one; given: a failure opens it
	// Password is the hash of what the shell asks for first; only the image's policy can give
	// it.
	Password Value[Hash]
	Debug    Value[bool]
	Watchdog Value[bool]   // not given: true, watchdogs get their drivers
	Panic    Value[string] // the kernel's panic=, as it stands
	// KeepAddress: the running system's NIC gets the boot's address back when it has none; not
	// given: if it is a static one.
	KeepAddress Value[bool]
	// ShutdownTimeout is for how long the real system may wait for its root disk while it shuts
	// down; 0 or not given: for ever.
	ShutdownTimeout Value[time.Duration]
}

// Emergency is the end of a boot that failed for good.
type Emergency string

// The ways a failed boot can end (dracut's rd.emergency=).
const (
	Reboot   Emergency = "reboot"
	PowerOff Emergency = "poweroff"
	Halt     Emergency = "halt"
)

// BeforeSwitchRoot is the break point that a bare rd.break means.
const BeforeSwitchRoot = "switch-root"

// SameTargets tells whether two plans log in to the same targets in the same way.
func (p Plan) SameTargets(other Plan) bool {
	return p.Initiator == other.Initiator && reflect.DeepEqual(p.Targets, other.Targets) && reflect.DeepEqual(p.Login, other.Login)
}
