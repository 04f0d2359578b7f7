package session

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// Progress reads how many commands of the session's disks the target has not
// answered, and a number that changes with each one that ends.
func (s *Session) Progress() (waiting int, done uint64, err error) { return progress("/sys", s.SID) }

// progress reads sysfs at sys (Documentation/block/stat.rst;
// Documentation/ABI/stable/sysfs-block, inflight).
func progress(sys string, sid uint32) (waiting int, done uint64, err error) {
	units, err := blockdev.Units(sys, sid)
	if err != nil {
		return 0, 0, err
	}
	for _, u := range units {
		if u.Disk == "" {
			continue
		}
		dir := sys + "/class/block/" + u.Disk
		inflight, err := numbers(dir+"/inflight", 2) // reads, writes
		if err != nil {
			return 0, 0, err
		}
		stat, err := numbers(dir+"/stat", 5) // read I/Os, merges, sectors, ticks; the same of writes
		if err != nil {
			return 0, 0, err
		}
		waiting += int(inflight[0] + inflight[1])
		done += stat[0] + stat[4]
	}
	return waiting, done, nil
}

// numbers reads the first n of a file.
func numbers(path string, n int) ([]uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(b))
	if len(f) < n {
		return nil, fmt.Errorf("read %s: %w", path, io.ErrUnexpectedEOF)
	}
	out := make([]uint64, n)
	for i := range out {
		if out[i], err = strconv.ParseUint(f[i], 10, 64); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return out, nil
}
