package session

import (
	"errors"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// A LUN is scanned for until the kernel shows a disk for it that has a size: a storage server that
// starts may accept logins before it has its LUNs, or before a LUN is ready. There may be no event
// when one is: the kernel has no unit that could report it, and few targets send an Asynchronous
// Message. So the scans are repeated.

// scans is the state of a session's scans.
type scans struct {
	running bool
	again   bool      // a login has succeeded while it ran
	probed  bool      // the last one has ended with the connection up: what it found needs no other probe
	ended   time.Time // the last one
	count   int       // since a login, without a result
}

// maxScanDoublings bounds how often the pause between scans is doubled.
const maxScanDoublings = 8

// MarkUnscanned records that the scan of the session is not complete, and that LUNs are to be
// scanned for after the next login: MaxLUNs at most, in the kernel's numbering. The others are left
// out.
func (s *Session) MarkUnscanned(luns ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unscannedLUNs = slices.Clone(luns[:min(len(luns), MaxLUNs)])
}

func (s *Session) unscanned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unscannedLUNs) > 0
}

// ScanIfDue starts a scan of a session that is up for the LUNs for which there is no disk yet,
// unless one was made a short time ago. It reports whether there are such LUNs: then it is to be
// called again.
func (s *Session) ScanIfDue() (waits bool) {
	if !s.unscanned() {
		return false
	}
	if up, err := s.Up(); err != nil || !up { // the next login scans
		return false
	}
	s.forgetFound()
	s.mu.Lock()
	pause := min(s.times.scan<<min(max(s.scans.count-1, 0), maxScanDoublings), s.times.maxScan)
	waits = len(s.unscannedLUNs) > 0
	due := waits && (s.scans.ended.IsZero() || time.Since(s.scans.ended) >= pause)
	s.mu.Unlock()
	if due {
		s.startScan()
	}
	return waits
}

// LUNsChanged has the session scanned soon for the LUNs for which there is no disk yet: the target
// has reported that its LUNs have changed. Where it does so again and again, the scans have the
// shortest pause between them.
func (s *Session) LUNsChanged() {
	s.mu.Lock()
	s.scans.count = 0
	s.mu.Unlock()
	s.ScanIfDue()
}

// scanAfterLogin starts the scan of a session that was logged in, if it was not scanned completely.
func (s *Session) scanAfterLogin() {
	s.mu.Lock()
	s.scans.again, s.scans.count = true, 0
	s.mu.Unlock()
	if s.unscanned() {
		s.startScan()
	}
}

// forgetFound removes LUNs that have a disk by now from those to scan for: the kernel makes a disk
// some time after the scan for it.
func (s *Session) forgetFound() {
	s.mu.Lock()
	luns, probed, login := s.unscannedLUNs, s.scans.probed, s.attempts
	s.mu.Unlock()
	if !probed {
		return
	}
	missing, err := s.missing(luns)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.attempts == login {
		s.unscannedLUNs = missing
	}
}

// startScan has the kernel scan the session for disks, in a goroutine, because a scan waits for the
// target, which may be unreachable again. If the session is lost during the scan the next login
// repeats it. The goroutine ends with the kernel's scan. One runs at a time.
func (s *Session) startScan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scans.running {
		return
	}
	s.scans.running = true
	contain.Go("scan of "+s.kernel.String(), func() {
		for s.scanOnce() {
		}
	}, func(error) {
		s.mu.Lock()
		s.scans.running = false
		s.mu.Unlock()
	})
}

// scanOnce scans for the LUNs that have no disk yet. It reports whether it is to be called again: a
// login has succeeded meanwhile.
func (s *Session) scanOnce() (again bool) {
	s.mu.Lock()
	s.scans.again = false
	s.scans.count++
	luns, login := s.unscannedLUNs, s.attempts
	s.mu.Unlock()
	err := s.scanFor(luns)
	missing, merr := s.missing(luns)
	up, uerr := s.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Join(err, merr, uerr) == nil && up && s.attempts == login {
		s.unscannedLUNs, s.scans.probed = missing, true
	}
	s.scans.running, s.scans.ended = s.scans.again, time.Now()
	return s.scans.again
}

// scanFor scans for LUNs, and probes their disks again that an earlier scan has made: it may have
// been interrupted, or the disk had no size then.
func (s *Session) scanFor(luns []uint64) error {
	sys := string(s.kernel.Sysfs())
	known, err := blockdev.LUNs(sys, s.SID)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(u blockdev.LUN) bool { return !isOf(u, luns) })
	for _, u := range known {
		if u.Absent { // a driver looks at a unit once
			err = errors.Join(err, blockdev.Detach(sys, u))
		}
	}
	for _, lun := range luns {
		if err == nil {
			err = s.scanForOne(lun)
		}
	}
	for _, u := range known {
		if err == nil && u.Disk != "" {
			err = blockdev.ProbeAgain(sys, "/dev", u.Disk)
		}
	}
	return err
}

// scanForOne scans for a LUN. All are scanned only where LUN 0 is not a disk, as at boot: udev
// would activate the volumes of the others.
func (s *Session) scanForOne(lun uint64) error {
	if lun != kernel.ScanAll {
		return s.Scan(lun)
	}
	if err := s.Scan(0); err != nil {
		return err
	}
	luns, err := blockdev.LUNs(string(s.kernel.Sysfs()), s.SID)
	if err != nil || slices.ContainsFunc(luns, blockdev.LUN.IsDisk) {
		return err
	}
	return s.Scan(lun)
}

// missing returns those of the LUNs for which the kernel shows no disk that has a size.
func (s *Session) missing(luns []uint64) ([]uint64, error) {
	sys := string(s.kernel.Sysfs())
	known, err := blockdev.LUNs(sys, s.SID)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, lun := range luns {
		found := func(u blockdev.LUN) bool { return isOf(u, []uint64{lun}) && u.Ready(sys) }
		if !slices.ContainsFunc(known, found) {
			out = append(out, lun)
		}
	}
	return out, nil
}

// isOf reports whether a unit is one of the LUNs.
func isOf(u blockdev.LUN, luns []uint64) bool {
	return slices.Contains(luns, u.Number) || slices.Contains(luns, kernel.ScanAll)
}
