package disks

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// counts are a disk's counters.
type counts struct {
	done, failed uint32 // SCSI completions, and those with an error (drivers/scsi/scsi_lib.c: scsi_complete)
	ended        uint64 // requests that ended (Documentation/block/stat.rst)
}

// readCounts reads them. A disk without a block device has none.
func readCounts(d disk) (counts, bool) {
	if d.Disk == "" {
		return counts{}, false
	}
	var c counts
	var err [2]error
	c.done, err[0] = counter(d.dir + "/iodone_cnt")
	c.failed, err[1] = counter(d.dir + "/ioerr_cnt")
	b, rerr := os.ReadFile(filepath.Join(d.block, "stat"))
	if err[0] != nil || err[1] != nil || rerr != nil {
		return counts{}, false
	}
	f := strings.Fields(string(b))
	for _, i := range []int{0, 4, 11, 15} { // reads, writes, discards, flushes
		if i < len(f) {
			n, _ := strconv.ParseUint(f[i], 10, 64)
			c.ended += n
		}
	}
	return c, len(f) > 4
}

// counter reads one of a SCSI device's, "0x1f".
func counter(path string) (uint32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return uint32(n), nil
}

// onlyErrors reports whether commands have completed since an earlier check, all of them with an
// error, and no request has ended. The two counters are read one after the other, so that they may
// be some completions apart.
func (c counts) onlyErrors(before counts) bool {
	failed, done := c.failed-before.failed, c.done-before.done
	return c.ended == before.ended && failed > 0 && int64(done)-int64(failed) <= 2+int64(failed)/100
}

// health is the state of one disk's check. Times are on a monotonic clock.
type health struct {
	id       uint64 // the disk's
	sid      uint32
	name     string
	last     counts
	at       time.Duration // when last was read
	since    time.Duration // the first check with errors only; -1: the disk works
	reported time.Duration // length at the last report; -1: there was none
}

// Times of the checks of a disk.
const (
	errorReportAfter   = 30 * time.Second // before they are reported
	errorCheckInterval = 10 * time.Second // between checks of a disk that answers with errors
	minCheckInterval   = 9 * time.Second  // between two checks: a shorter time proves nothing
)

// checkHealth checks a disk. soon reports whether it is to be checked again in errorCheckInterval.
func (k *Keeper) checkHealth(s Session, up bool, d disk) (soon bool) {
	now := k.now()
	h := k.health[d.Address]
	c, ok := readCounts(d)
	if !ok {
		return false
	}
	if h == nil || h.id != d.id {
		k.health[d.Address] = &health{id: d.id, sid: d.Session, name: d.Disk, last: c, at: now, since: -1, reported: -1}
		return false
	}
	if now-h.at < minCheckInterval {
		return h.since >= 0
	}
	switch bad := c.onlyErrors(h.last); {
	case bad && up && h.since < 0:
		h.since = now
	case bad && up:
		k.reportErrors(s, d, h)
	case h.reported >= 0 && c.ended != h.last.ended:
		k.cfg.Log.Warnf("session %d to %s: disk %s works again after %.0f s", s.ID(), s, d.Disk, (now - h.since).Seconds())
		h.since, h.reported = -1, -1
	case h.reported < 0: // a reported error lasts until a request has ended
		h.since = -1
	}
	h.last, h.at = c, now
	return h.since >= 0
}

// reportErrors logs a disk that answers with errors when that is due.
func (k *Keeper) reportErrors(s Session, d disk, h *health) {
	length := k.now() - h.since
	if length < errorReportAfter || h.reported >= 0 && length < k.cfg.NextReport(h.reported) {
		return
	}
	k.cfg.Log.Errorf("session %d to %s: disk %s (LUN %d) has answered every command with an error for %.0f s: programs wait, and the commands are sent again: "+
		"see the target's log for what is wrong with the LUN", s.ID(), s, d.Disk, d.Number, length.Seconds())
	h.reported = length
}
