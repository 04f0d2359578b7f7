package paths

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// sector is what a probe reads: the largest there is, in bytes.
const sector = 4096

// ReadSector returns a function that reads the first sector of a disk, whose node is in dev.
func ReadSector(dev string) func(disk string) error {
	return func(disk string) error {
		f, err := os.OpenFile(filepath.Join(dev, disk), os.O_RDONLY|unix.O_DIRECT, 0)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, err = blockdev.Direct{File: f}.ReadAt(make([]byte, sector), 0)
		return err
	}
}

// Listen returns a function that calls wake at each uevent of a disk of a session, or of a map,
// until its context ends. unit: it is a unit attention, as of access states that have changed.
// Without events changes are found at the next check.
func Listen(log Logger) func(ctx context.Context, wake func(unit bool)) {
	return func(ctx context.Context, wake func(unit bool)) {
		l, err := uevent.ListenPaths()
		if err != nil {
			log.Warnf("multipath: %v", err)
			return
		}
		contain.Go("uevents of paths", func() { // until ctx ends
			defer func() { _ = l.Close() }()
			_ = l.Wait(ctx, func(e uevent.Event) (bool, error) { wake(unitChanged(e)); return false, nil })
		}, nil)
	}
}

// unitChanged reports whether an event is of a unit attention (drivers/scsi/scsi_lib.c:
// scsi_evt_emit), or events were lost.
func unitChanged(e uevent.Event) bool {
	return e == uevent.Event{} || e.Action == "change" && e.Subsystem == "scsi"
}
