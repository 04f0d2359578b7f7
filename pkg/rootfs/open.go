package rootfs

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// opener returns how layers open the devices that they read: a read ends with ctx, also if the
// target does not answer, and the runner reports the device.
func opener(ctx context.Context) blockdev.Opener {
	return func(path string) (*blockdev.File, error) {
		blocking := func() func() { return sequence.Blocking(ctx, "reading "+path) }
		defer blocking()()
		f, err := blockdev.Open(ctx, path)
		if err == nil {
			f.Watch(blocking)
		}
		return f, err
	}
}
