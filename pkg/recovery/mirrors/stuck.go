package mirrors

import (
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// A target may answer pings and none of its disks' commands. Without such a leg and the one that is
// ended an array has no data. A read of the disk as a test would not do: it waits for the disk
// without a limit and without a way to end it, and so does the end of a process that has it under
// way, in whose place another one is to recover the session.

// samples are numbers of commands that have completed, by session, as they were at a time.
type samples struct {
	at    time.Time
	count map[uint32]uint64
}

// sampleLasts is how old a sample may be: a command that has completed long ago does not show that
// the disk works now.
const sampleLasts = 2 * recheck

// stuck lists the sessions other than sid that are up and have commands outstanding of which none
// has completed since the last call, or since it is not known whether one has.
func (k *Keeper) stuck(all []recovery.Status, sid uint32) (out []uint32) {
	if k.cfg.Progress == nil {
		return nil
	}
	before := k.done
	if time.Since(before.at) > sampleLasts {
		before.count = nil
	}
	k.done = samples{time.Now(), map[uint32]uint64{}}
	for _, s := range all {
		if s.SID == sid || !s.Up {
			continue
		}
		waiting, done, err := k.cfg.Progress(s.SID)
		if err != nil { // its disks are being removed
			continue
		}
		k.done.count[s.SID] = done
		if last, known := before.count[s.SID]; waiting > 0 && (!known || last == done) {
			out = append(out, s.SID)
		}
	}
	return out
}

// stuckLogged is for how long a session may be kept for a leg that is stuck before that is logged:
// a leg under load is, until the next check.
const stuckLogged = 5 * recheck

// tellStuck logs that a session is not ended because of the disks of others, once in an outage.
func (k *Keeper) tellStuck(s recovery.Status, tried time.Duration, arrays []string) {
	if tried < k.cfg.Timeout+stuckLogged || slices.Contains(k.told, s.SID) {
		return
	}
	k.told = append(k.told, s.SID)
	k.cfg.Log.Warnf("session %d to %s: not ended: the other disks of %s do not complete any command: see the logs of their targets", s.SID, s.Name, strings.Join(arrays, ", "))
}
