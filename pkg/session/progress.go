package session

import (
	"fmt"
	"os"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Progress reads how many commands of the session's disks are outstanding, and how many have
// completed.
func (s *Session) Progress() (waiting int, done uint64, err error) { return progress("/sys", s.SID) }

// progress reads sysfs at sys (Documentation/block/stat.rst; Documentation/ABI/stable/sysfs-block,
// inflight).
func progress(sys string, sid uint32) (waiting int, done uint64, err error) {
	luns, err := blockdev.LUNs(sys, sid)
	if err != nil {
		return 0, 0, err
	}
	for _, u := range luns {
		if u.Disk == "" {
			continue
		}
		dir := sys + "/class/block/" + u.Disk
		var reads, writes int
		if err := scan(dir+"/inflight", &reads, &writes); err != nil {
			return 0, 0, err
		}
		// read I/Os, merges, sectors, ticks; the same of writes
		var ended, skip [4]uint64
		if err := scan(dir+"/stat", &ended[0], &skip[0], &skip[1], &skip[2], &ended[1]); err != nil {
			return 0, 0, err
		}
		waiting += reads + writes
		done += ended[0] + ended[1]
	}
	return waiting, done, nil
}

// scan reads the first values in a file.
func scan(path string, into ...any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f := strings.Fields(string(b))
	if err := words.Read(strings.Join(f[:min(len(into), len(f))], " "), into...); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
