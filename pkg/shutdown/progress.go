package shutdown

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Progress implements System: the number of commands that the sessions' disks have completed
// without an error (drivers/scsi/scsi_lib.c: scsi_complete, iodone_cnt, ioerr_cnt). Those that come
// back with an error are no progress: a disk without a limit of retries repeats them without end.
//
// The two counters cannot be read at one moment. iodone_cnt is read first, so that a command that
// ends between them makes the number too small and never too large; the largest so far is returned.
func (l *linux) Progress() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.worked == nil {
		l.worked = map[string]uint32{}
	}
	sum := uint64(0)
	for _, s := range l.find() {
		disks, _ := filepath.Glob(fmt.Sprintf("%s/class/scsi_device/%d:*/device", l.sys, s.host))
		for _, dir := range disks {
			done, failed := counter(dir+"/iodone_cnt"), counter(dir+"/ioerr_cnt")
			well := done - failed
			if before, known := l.worked[dir]; !known || int32(well-before) > 0 { // they wrap around
				l.worked[dir] = well
			}
			sum += uint64(l.worked[dir])
		}
	}
	return sum
}

// counter reads one, such as "0x1f"; 0: it does not exist.
func counter(path string) uint32 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32)
	return uint32(n)
}
