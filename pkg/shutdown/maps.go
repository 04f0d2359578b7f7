package shutdown

import (
	"errors"
	"slices"
)

// Above is a device that stands on others: one of device-mapper, or an md array.
type Above struct {
	Name  string // in device-mapper, or the array's node
	Array bool
}

// removeAbove removes the devices of device-mapper and the arrays from the top down, so that the
// disks below are not in use when the caches are written back. A raid, a thin pool and an array
// write to their members when they are removed, so the sessions are still recovered then. A device
// that is in use stays, and one that hangs is left there.
func removeAbove(s System, log Logger) {
	var left []Above
	stall := flushStall
	for {
		devices, err := s.Above()
		if err != nil {
			log.Warnf("shutdown: %v", err)
			return
		}
		devices = slices.DeleteFunc(devices, func(d Above) bool { return slices.Contains(left, d) })
		if len(devices) == 0 {
			return
		}
		for _, d := range devices {
			left = append(left, d) // once each
			err := patiently(s, stall, log, func() error { return s.Remove(d) })
			var late *LateError
			switch {
			case errors.As(err, &late):
				log.Errorf("shutdown: %s: its disk does not answer: it is not removed", d.Name)
				stall = unmountAgain
			case err != nil:
				log.Warnf("shutdown: %v", err)
			}
		}
	}
}
