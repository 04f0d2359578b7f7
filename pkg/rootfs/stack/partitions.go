package stack

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// Partitions is the layer that the kernel activates by itself: it reads a disk's table before it
// lets the first open succeed (block/bdev.c: blkdev_get_whole), and removes the partitions with the
// disk.
type Partitions struct {
	Sys string // where sysfs is mounted
	// Mapped: also the partitions of multipath maps that an earlier search has made.
	Mapped bool
}

// Name implements blockdev.Layer.
func (*Partitions) Name() string { return "partitions" }

// Find returns each disk: the kernel has read whether it has partitions.
func (l *Partitions) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	var out []blockdev.Assembly
	for _, d := range devices {
		if d.Kind == blockdev.KindDisk || d.Kind == blockdev.KindMD || d.Kind == blockdev.KindMultipath && l.Mapped {
			out = append(out, blockdev.Assembly{Name: d.Name, Members: []*blockdev.Device{d}})
		}
	}
	return out, nil
}

// Activate implements blockdev.Layer.
func (l *Partitions) Activate(_ context.Context, a blockdev.Assembly) ([]*blockdev.Device, error) {
	return blockdev.Partitions(l.Sys, a.Members[0])
}

// Deactivate implements blockdev.Layer.
func (*Partitions) Deactivate(context.Context, blockdev.Assembly) error { return nil }
