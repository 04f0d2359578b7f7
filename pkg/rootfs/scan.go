package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// scanner looks for the disks of one session.
type scanner struct {
	st *Storage
	s  *session.Session
	// doubtful: the kernel may have found only some of the disks: the session was lost, maybe
	// during an earlier scan.
	doubtful bool
	probed   map[string]bool // disks that were probed since
}

// scan scans for a LUN and returns its disks. The SCSI devices exist after the scan; their disks
// are made by another thread of the kernel, which announces them when their partitions are known.
func (sc scanner) scan(ctx context.Context, lun uint64) ([]blockdev.LUN, error) {
	if err := sc.once(ctx, describeScan(sc.s.SID, lun), func() error { return sc.s.Scan(lun) }); err != nil {
		return nil, err
	}
	var found []blockdev.LUN
	var missing *notReadyError
	look := func(uevent.Event) (done bool, err error) {
		ready, not, err := sc.look(ctx, lun)
		if err == nil { // else ctx may have ended meanwhile, and the last result stands
			found, missing = ready, not
		}
		return not == nil, err
	}
	began := time.Now()
	for logged := false; ; {
		err := sc.st.lookFor(ctx, look)
		switch {
		case !errors.Is(err, context.DeadlineExceeded):
			return found, err
		case ctx.Err() != nil && missing != nil:
			return nil, missing
		case ctx.Err() != nil:
			return nil, err
		case missing != nil && lun == kernel.ScanAll && len(found) > 0 && time.Since(began) >= readyLimit:
			sc.st.Log.Warnf("%v: continuing with the others", missing)
			return found, nil
		case missing != nil:
			if !logged && time.Since(began) >= readyLimit {
				sc.st.Log.Warnf("%v: waiting for it", missing)
				logged = true
			}
			sc.rescan(ctx, missing.lun)
		}
	}
}

// once runs a system call that waits for the session's target.
func (sc scanner) once(ctx context.Context, what string, call func() error) error {
	return sc.st.calls.Once(ctx, sc.s.SID, what, call)
}

func describeScan(sid uint32, lun uint64) string {
	if lun == kernel.ScanAll {
		return fmt.Sprintf("scan of session %d", sid)
	}
	return fmt.Sprintf("scan of session %d for lun %v", sid, iscsi.KernelLUN(lun))
}

// look returns the session's disks that are ready, and an error for one that is not.
func (sc scanner) look(ctx context.Context, lun uint64) (found []blockdev.LUN, missing *notReadyError, err error) {
	luns, err := blockdev.LUNs("/sys", sc.s.SID)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range luns {
		if !u.IsDisk() || lun != kernel.ScanAll && u.Number != lun {
			continue
		}
		if err := sc.probeAgain(ctx, u); err != nil {
			return nil, nil, err
		}
		ready, err := sc.isReady(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case ready:
			found = append(found, u)
		case missing == nil:
			missing = &notReadyError{u, sc.s.Target}
		}
	}
	return found, missing, nil
}

// probeAgain makes the kernel probe a disk again whose session was lost during the scan.
func (sc scanner) probeAgain(ctx context.Context, u blockdev.LUN) error {
	if !sc.doubtful || u.Disk == "" || sc.probed[u.Disk] {
		return nil
	}
	sc.probed[u.Disk] = true
	return sc.once(ctx, "probe of "+u.Disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.Disk) })
}

// readyLimit is for how long a disk that is not ready is waited for without a message.
const readyLimit = 5 * time.Second

// rescanEvery is the interval at which the kernel is made to read a disk's size, which it does not
// do by itself.
const rescanEvery = time.Second

// lookFor calls look immediately and after each event, until it is done or rescanEvery is over.
func (st *Storage) lookFor(ctx context.Context, look func(uevent.Event) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, rescanEvery)
	defer cancel()
	return st.Uevents().Wait(ctx, look)
}

// rescan makes the kernel read a disk's size and its partitions, which it does not read without a
// size. If that fails, the disk is still not ready, and is rescanned later. A LUN without a disk is
// still being probed: the kernel waits up to 100 s for it to spin up (drivers/scsi/sd.c:
// sd_spinup_disk).
func (sc scanner) rescan(ctx context.Context, u blockdev.LUN) {
	if u.Disk == "" {
		return
	}
	_ = sc.once(ctx, "probe of "+u.Disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.Disk) })
}

// notReadyError is a LUN whose disk cannot be used yet.
type notReadyError struct {
	lun    blockdev.LUN
	target string
}

// Error implements error.
func (e *notReadyError) Error() string {
	text := fmt.Sprintf("lun %v of %s is not ready", iscsi.KernelLUN(e.lun.Number), e.target)
	if e.lun.Disk != "" {
		return "disk " + e.lun.Disk + ", " + text
	}
	return text
}

// Retryable is true if there is a driver: the target may bring the LUN up later.
func (e *notReadyError) Retryable() bool {
	_, err := os.Stat("/sys/bus/scsi/drivers/sd")
	return err == nil
}

// Hint returns the likely cause.
func (e *notReadyError) Hint() string {
	if !e.Retryable() {
		return "the kernel has no driver for disks: does the image hold sd_mod?"
	}
	return "bring the LUN online at the target"
}

// isReady reports whether a unit has a disk that can be opened and has a size. The kernel looks for
// partitions before it lets an open succeed (block/bdev.c: blkdev_get_whole), so they are known
// then.
func (sc scanner) isReady(ctx context.Context, u blockdev.LUN) (bool, error) {
	if u.Disk == "" {
		return false, nil
	}
	err := sc.once(ctx, "open of "+u.Disk, func() error {
		f, err := os.Open("/dev/" + u.Disk)
		if err != nil {
			return err
		}
		return f.Close()
	})
	switch {
	case err == nil:
		d, err := blockdev.Read("/sys", u.Disk)
		return err != nil || d.Size > 0, nil
	case errors.Is(err, os.ErrNotExist), reads.Temporary(err):
		return false, nil
	}
	return false, err
}
