package bootspec

import (
	"math"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Value is a value with its source; the zero Value is "not given".
type Value[T any] struct {
	V T
	// From names the source as a user writes it: `iscsi_t=`, "default". Empty: not given.
	From string
}

// Given reports whether the value was given.
func (v Value[T]) Given() bool { return v.From != "" }

// IsParameter reports whether a value's source is a word of the command line, or of a file of the
// image, and not firmware, DHCP or the machine.
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

// Plan is what is known before the network is up.
type Plan struct {
	Net       Net
	Initiator Value[string] // iSCSI name, at most 223 bytes
	Targets   []Target      // in the order in which their disks are counted
	Login     Login
	Multipath Multipath
	Root      Root
	Init      Value[string] // path in the root of the program to run there
	Policy    Policy
	Firmware  Value[bool] // use the iBFT's targets; not given: if no other source names one
	HasIBFT   bool        // the firmware provides a table
	// NoFirmwareTarget: the table has no target that can be used.
	NoFirmwareTarget bool
	ByDHCP           Value[bool] // root=dhcp: DHCP names the target
	// UUID is this machine's from its SMBIOS, in lower case; empty if it has none. The caller
	// reads it. It names an initiator that no source names, unless many machines have it.
	UUID string
	// MACNames: the caller's facts will have the MAC of the boot's NIC, which names an
	// initiator where there is no UUID.
	MACNames bool
	// Credentials are those of the image's file, which the caller reads.
	Credentials []Credential
	// Modules are the parameters for kernel modules.
	Modules Modules
	// ModuleLists are the lists in Modules as they are shown, in the order given.
	ModuleLists []Setting
	// Ignore lists kinds of unsupported features, with commas, that are ignored without a
	// warning.
	Ignore Value[string]
	// Overlay names the words that request a writable layer over root, which is not supported;
	// empty if there are none, or they are ignored.
	Overlay string
	// Warnings are for the screen: contradictions, unknown parameters.
	Warnings []string
}

// Spec is what the steps after the network need.
type Spec struct {
	Initiator string
	// InitiatorFrom names the source of Initiator if it is not a parameter: "iBFT initiator",
	// "DHCP option 203 from 10.1.1.1".
	InitiatorFrom string
	// Targets has an entry for each session (Plan.Sessions), in the order in which sda, sdb,
	// ... are counted.
	Targets   []Target
	Multipath Multipath
	Login     Login
	// Nameservers resolve the names of portals, in their order.
	Nameservers []netip.Addr
	Root        Root
	Init        Value[string]
	Policy      Policy
}

// Root is the file system to switch to.
type Root struct {
	Device    Value[Device]   // not given: sda2, then the first file system with an init
	Fallbacks []Value[Device] // in their order, if Device was not found in time
	FSType    Value[string]   // types to try, with commas; not given: by superblock
	Flags     Value[string]   // mount options, comma-separated
	ReadWrite Value[bool]     // not given: read-only
	AnyDisk   Value[bool]     // search local disks too
	LVM       LVM
	MD        MD
	Wait      Value[time.Duration] // for the device to appear, or Forever; not given: a few seconds
	Delay     Value[time.Duration] // before root is looked for
}

// Forever means no limit.
const Forever time.Duration = math.MaxInt64

// Policy is what to do on failures, and where to stop.
type Policy struct {
	Timeout   Value[time.Duration] // how long to retry temporary errors; 0 or not given: without limit
	Emergency Value[Emergency]     // what to do at the end; not given: Reboot
	Break     []Value[string]      // steps before which the shell opens
	Shell     Value[string]        // path of the shell, "" for the built-in one; given: a failure opens it
	// Password is the hash of the password that the shell requires; only the image's policy can
	// give it.
	Password Value[Hash]
	Debug    Value[bool]
	Watchdog Value[bool]   // not given: true, watchdogs get their drivers
	Panic    Value[string] // the kernel's panic=, unparsed
	// KeepAddress: the boot's address is restored if the running system removes it; not given:
	// if it is a static one.
	KeepAddress Value[bool]
	// ShutdownTimeout limits how long the real system waits for its root disk while it shuts
	// down; 0 or not given: no limit.
	ShutdownTimeout Value[time.Duration]
}

// Emergency is what to do after a permanent failure.
type Emergency string

// The values of dracut's rd.emergency=.
const (
	Reboot   Emergency = "reboot"
	PowerOff Emergency = "poweroff"
	Halt     Emergency = "halt"
)

// BeforeSwitchRoot is the break point of a bare rd.break.
const BeforeSwitchRoot = "switch-root"

// SameTargets reports whether two plans log in to the same targets in the same way, by the same
// sessions, and join the same disks.
func (p Plan) SameTargets(other Plan) bool {
	return p.Initiator == other.Initiator && reflect.DeepEqual(p.Targets, other.Targets) && reflect.DeepEqual(p.Login, other.Login) &&
		reflect.DeepEqual(p.Multipath, other.Multipath) // Sessions are by these
}
