package rootfs

import (
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/stack"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Sysroot is where root is mounted before it becomes "/".
const Sysroot = "/sysroot"

// Sessions are those of the targets, in the order of Spec.Targets, with the state of their logins
// and outages.
type Sessions interface {
	List() []*session.Session
	Names() string      // for messages about all of them
	Up(i int) bool      // is logged in, and was scanned to the end
	Pending(i int) bool // the login is still tried
	Lost(i int) bool    // the login was given up
	// Waiting lists those whose login is still tried and may succeed.
	Waiting() []int
	// Changed is closed at the next change of any of these.
	Changed() <-chan struct{}
	// Later makes a session pending until work has ended, which continues during the next
	// steps.
	Later(i int, work func(context.Context))
	// Down names those that have lost their connection; "": none has.
	Down() string
	// WaitDown waits until one has been down for a while. If it has, it returns nil also with a
	// ctx that has ended.
	WaitDown(ctx context.Context, i int) error
	// UseAsPath gives a session the timers of a path of a multipath map. The kernel takes them
	// of a session that is down at its next login: an error until then.
	UseAsPath(i int) error
	// IsPath reports whether a session has those timers.
	IsPath(i int) bool
	// UseAsDisk gives a session that was to have paths the timers of a single disk.
	UseAsDisk(i int) error
	// RepeatIfLost does work that sends commands to the target, and repeats it while the
	// session was lost in between. lost reports that it was lost before.
	RepeatIfLost(ctx context.Context, s *session.Session, work func(lost bool) error) error
}

// Uevents are the kernel's events: *uevent.Listener.
type Uevents interface {
	// Wait calls done immediately, with no event, and after each event, until it returns true
	// or an error.
	Wait(ctx context.Context, done func(uevent.Event) (bool, error)) error
}

// Config is what a Storage needs of the machine.
type Config struct {
	Log      sequence.Logger
	Sessions Sessions
	Uevents  func() Uevents
	// Load loads a module by its name or alias.
	Load    func(ctx context.Context, name string) error
	Started time.Time // of the boot
	// Spec and Plan are the plan of the boot. They change only while no step runs, by a retry
	// at the shell.
	Spec *bootspec.Spec
	Plan *bootspec.Plan
}

// Storage is the disks of the sessions and the devices on them.
type Storage struct {
	Config
	disks            []*blockdev.Device // of the first scans, in the order of the sessions; maps are in the place of their paths
	late             []*blockdev.Device // of LUNs that were scanned later, see allDisks
	active           stack.Set          // the devices on them
	attachedBySearch map[lunOf]bool     // LUNs that a search for root has attached
	luns             lunKernel          // of a test; nil: the kernel itself
	volumes          volumes.Kernel     // of a test; nil: the kernel itself
	arrays           arrays.Kernel      // of a test; nil: the kernel itself
	startedArrays    map[string]bool    // of the kernel's arrays those that a search has started
	degraded         bool               // arrays and volumes are activated without the members that they can do without
	lack             lack               // until then: since when those are missing
	places           []*place           // the disks of sessions, if they may be paths
	pathLUNs         maps.LUNs
	maps             *maps.Maps      // see mapper
	toldPaths        map[string]bool // what was logged about disks that are not joined
	calls            calls.Set
	root             Volume // by the last search for root
}

// New returns a Storage without disks.
func New(c Config) *Storage {
	st := &Storage{Config: c}
	st.active = stack.Set{Log: c.Log, Calls: &st.calls}
	return st
}

// Forget forgets the disks of sessions that have ended.
func (st *Storage) Forget() {
	st.disks, st.late, st.places, st.active.All, st.attachedBySearch, st.degraded = nil, nil, nil, nil, nil, false
	st.pathLUNs.Clear()
}

// Calls lists the system calls that a target has not answered and that are no longer waited for.
func (st *Storage) Calls() []string { return st.calls.List() }

// Volume is a device with a file system, such as root.
type Volume struct {
	*blockdev.Device
	FSType string // types to try, with commas if there are several, until it is mounted
	Dirty  string // why the superblock is not clean; empty: it is
}

// OnSession reports whether any of it is on a disk of a session.
func (v Volume) OnSession(sid uint32) bool {
	return v.Device != nil && slices.ContainsFunc(v.Disks(), func(d *blockdev.Device) bool {
		return d.LUN != nil && d.LUN.Session == sid
	})
}

// MountedByHand returns a root that was mounted by hand: the device's name and its file system.
func MountedByHand(name, fstype string) Volume {
	d, err := blockdev.Read("/sys", name)
	if err != nil { // a name that is not in sysfs
		d = &blockdev.Device{Name: name}
	}
	return Volume{Device: d, FSType: fstype}
}

// Start is how the real system starts.
type Start struct {
	Init        string   // the path of the program in root
	MountPoints []string // directories to which the initramfs's file systems are moved
}
