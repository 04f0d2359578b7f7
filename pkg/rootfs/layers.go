package rootfs

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// partitions is the layer that the kernel activates by itself: it reads a disk's table before it
// lets the first open succeed (block/bdev.c: blkdev_get_whole), and removes the partitions with the
// disk.
type partitions struct {
	sys string
	// mapped: also the partitions of multipath maps that an earlier search has made.
	mapped bool
}

func (*partitions) Name() string { return "partitions" }

// Find returns each disk: the kernel has read whether it has partitions.
func (l *partitions) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	var out []blockdev.Assembly
	for _, d := range devices {
		if d.Kind == blockdev.KindDisk || d.Kind == blockdev.KindMD || d.Kind == blockdev.KindMultipath && l.mapped {
			out = append(out, blockdev.Assembly{Name: d.Name, Members: []*blockdev.Device{d}})
		}
	}
	return out, nil
}

func (l *partitions) Activate(_ context.Context, a blockdev.Assembly) ([]*blockdev.Device, error) {
	return blockdev.Partitions(l.sys, a.Members[0])
}

func (*partitions) Deactivate(context.Context, blockdev.Assembly) error { return nil }
