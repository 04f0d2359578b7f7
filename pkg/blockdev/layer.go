package blockdev

import "context"

// Layer is one way in which block devices stand on others: partitions on a disk, a map on paths, an
// array on members, volumes on physical volumes.
type Layer interface {
	// Name is for messages: "partitions".
	Name() string
	// Find lists what stands on devices, or could be made to. It may read what is on them, and
	// changes nothing.
	Find(ctx context.Context, devices []*Device) ([]Assembly, error)
	// Activate returns the devices of an assembly, after it has made the kernel show them if it
	// did not yet.
	Activate(ctx context.Context, a Assembly) ([]*Device, error)
	// Deactivate takes an assembly down, without a read or a write of its members: a target may
	// not answer. unix.EBUSY: it is in use.
	Deactivate(ctx context.Context, a Assembly) error
}

// Assembly is what a layer makes devices of.
type Assembly struct {
	Name    string // no other in its layer has it
	Members []*Device
	Plan    any // what the layer needs for Activate
}
