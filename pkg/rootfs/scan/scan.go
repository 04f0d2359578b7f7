package scan

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

// Scanner looks for the disks of one session.
type Scanner struct {
	k *Kernel
	s *session.Session
	// doubtful: the kernel may have found only some of the disks: the session was lost, maybe
	// during an earlier scan.
	doubtful bool
	probed   map[string]bool // disks that were probed since
}

// Scanner returns a scanner of a session. doubtful: the kernel may have found only some of its
// disks.
func (k *Kernel) Scanner(s *session.Session, doubtful bool) Scanner {
	return Scanner{k: k, s: s, doubtful: doubtful, probed: map[string]bool{}}
}

// Scan scans for a LUN, by the kernel's number, and returns its disks; a *NotReadyError where one
// cannot be used yet. The SCSI devices exist after the scan; their disks are made by another thread
// of the kernel, which announces them when their partitions are known.
func (sc Scanner) Scan(ctx context.Context, lun uint64) ([]blockdev.LUN, error) {
	if err := sc.once(ctx, describeScan(sc.s.SID, lun), func() error { return sc.s.Scan(lun) }); err != nil {
		return nil, err
	}
	var found []blockdev.LUN
	var missing *NotReadyError
	look := func(uevent.Event) (done bool, err error) {
		ready, not, err := sc.look(ctx, lun)
		if err == nil { // else ctx may have ended meanwhile, and the last result stands
			found, missing = ready, not
		}
		return not == nil, err
	}
	began := time.Now()
	for logged := false; ; {
		err := sc.k.lookFor(ctx, look)
		switch {
		case !errors.Is(err, context.DeadlineExceeded):
			return found, err
		case ctx.Err() != nil && missing != nil:
			return nil, missing
		case ctx.Err() != nil:
			return nil, err
		case missing != nil && lun == kernel.ScanAll && len(found) > 0 && time.Since(began) >= ReadyLimit:
			sc.k.Log.Warnf("%v: continuing with the others", missing)
			return found, nil
		case missing != nil:
			if !logged && time.Since(began) >= ReadyLimit {
				sc.k.Log.Warnf("%v: waiting for it", missing)
				logged = true
			}
			sc.rescan(ctx, missing.LUN)
		}
	}
}

// once runs a system call that waits for the session's target.
func (sc Scanner) once(ctx context.Context, what string, call func() error) error {
	return sc.k.Calls.Once(ctx, sc.s.SID, what, call)
}

func describeScan(sid uint32, lun uint64) string {
	if lun == kernel.ScanAll {
		return fmt.Sprintf("scan of session %d", sid)
	}
	return fmt.Sprintf("scan of session %d for lun %v", sid, iscsi.KernelLUN(lun))
}

// look returns the session's disks that are ready, and an error for one that is not.
func (sc Scanner) look(ctx context.Context, lun uint64) (found []blockdev.LUN, missing *NotReadyError, err error) {
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
			missing = &NotReadyError{u, sc.s.Target}
		}
	}
	return found, missing, nil
}

// probeAgain makes the kernel probe a disk again whose session was lost during the scan.
func (sc Scanner) probeAgain(ctx context.Context, u blockdev.LUN) error {
	if !sc.doubtful || u.Disk == "" || sc.probed[u.Disk] {
		return nil
	}
	sc.probed[u.Disk] = true
	return sc.once(ctx, "probe of "+u.Disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.Disk) })
}

// ReadyLimit is for how long a disk that is not ready is waited for without a message.
const ReadyLimit = 5 * time.Second

// rescanEvery is the interval at which the kernel is made to read a disk's size, which it does not
// do by itself.
const rescanEvery = time.Second

// lookFor calls look immediately and after each event, until it is done or rescanEvery is over.
func (k *Kernel) lookFor(ctx context.Context, look func(uevent.Event) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, rescanEvery)
	defer cancel()
	return k.Wait(ctx, look)
}

// rescan makes the kernel read a disk's size and its partitions, which it does not read without a
// size. If that fails, the disk is still not ready, and is rescanned later. A LUN without a disk is
// still being probed: the kernel waits up to 100 s for it to spin up (drivers/scsi/sd.c:
// sd_spinup_disk).
func (sc Scanner) rescan(ctx context.Context, u blockdev.LUN) {
	if u.Disk == "" {
		return
	}
	_ = sc.once(ctx, "probe of "+u.Disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.Disk) })
}

// isReady reports whether a unit has a disk that can be opened and has a size. The kernel looks for
// partitions before it lets an open succeed (block/bdev.c: blkdev_get_whole), so they are known
// then.
func (sc Scanner) isReady(ctx context.Context, u blockdev.LUN) (bool, error) {
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
