package blockdev

import "context"

// Layer is one kind of block devices above others: partitions on a disk, a map on paths, an array
// on members, volumes on physical volumes.
type Layer interface {
	// Name is for messages: "partitions".
	Name() string
	// Find lists the assemblies on devices, active or not. It may read the devices, and changes
	// nothing.
	Find(ctx context.Context, devices []*Device) ([]Assembly, error)
	// Activate returns the devices of an assembly, and makes the kernel create them if it has
	// not yet.
	Activate(ctx context.Context, a Assembly) ([]*Device, error)
	// Deactivate deactivates an assembly, without a read or a write of its members, because a
	// target may not respond. unix.EBUSY: it is in use.
	Deactivate(ctx context.Context, a Assembly) error
}

// Assembly is what a layer makes devices of.
type Assembly struct {
	Name    string // no other in its layer has it
	Members []*Device
	Plan    any // the layer's data for Activate
}
