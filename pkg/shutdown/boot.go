package shutdown

import (
	"errors"

	"golang.org/x/sys/unix"
)

// EndBoot makes a machine ready to be switched off whose boot failed: it writes back what can be
// written, unmounts dirs, and logs out of the sessions ids. Each part has a limit. Without that the
// kernel would send SYNCHRONIZE CACHE to the disks of a session that is down (drivers/scsi/sd.c:
// sd_shutdown), and wait for it as long as the session holds I/O back. The caller's own recovery of
// the sessions must have ended.
func EndBoot(ids []uint32, dirs []string, log Logger) {
	l := newLinux()
	l.ids = append([]uint32{}, ids...)
	endBoot(l, dirs, log)
}

func endBoot(s System, dirs []string, log Logger) {
	stall := flushStall
	var late *LateError
	if err := working(s, stall, func() error { s.Sync(); return nil }); errors.As(err, &late) {
		log.Errorf("shutdown: a disk does not answer: what was not written yet is lost")
		stall = unmountAgain
	}
	for _, dir := range dirs {
		err := working(s, stall, func() error { return s.Unmount(dir) })
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // not mounted, or does not exist
			log.Warnf("shutdown: %v", err)
		}
	}
	removeAbove(s, log)
	failMaps(s, true, log) // the sessions end
	leaveAll(s, log)
}
