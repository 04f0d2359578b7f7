package shutdown

import (
	"errors"
	"slices"
)

// removeMaps removes the devices of device-mapper from the top down, so that the disks below are
// not in use when the caches are written back. A raid and a thin pool write to their members when
// they are removed, so the sessions are still recovered then. A device that is in use stays, and
// one that hangs is left there.
func removeMaps(s System, log Logger) {
	var left []string
	stall := flushStall
	for {
		names, err := s.Maps()
		if err != nil {
			log.Warnf("shutdown: %v", err)
			return
		}
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(left, name) })
		if len(names) == 0 {
			return
		}
		for _, name := range names {
			left = append(left, name) // once each
			err := working(s, stall, func() error { return s.RemoveMap(name) })
			var late *LateError
			switch {
			case errors.As(err, &late):
				log.Errorf("shutdown: %s: its disk does not answer: it is not removed", name)
				stall = unmountAgain
			case err != nil:
				log.Warnf("shutdown: %v", err)
			}
		}
	}
}
