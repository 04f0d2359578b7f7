package disks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// disk is a SCSI disk of a session as sysfs shows it.
type disk struct {
	sid   uint32
	where string   // "2:0:0:1": host, channel, target, LUN
	id    uint64   // a number that sysfs gives to no other disk while it runs
	name  string   // of its block device, "sda"; empty until there is one
	dir   string   // of the SCSI device
	attr  string   // the file of its retries, which kernels before 5.10 do not have
	block []string // directories of the block device and its partitions
}

// Limits of what is looked at.
const (
	maxNames = 1 << 16 // in a directory
	maxDisks = 1024    // of a session
)

// find lists the disks of a session.
func find(sys string, sid uint32) []disk {
	var out []disk
	session := fmt.Sprintf("%s/class/iscsi_session/session%d/device", sys, sid)
	for _, target := range names(session) {
		if !strings.HasPrefix(target, "target") {
			continue
		}
		for _, unit := range names(filepath.Join(session, target)) {
			if d, ok := readDisk(filepath.Join(session, target, unit)); ok && len(out) < maxDisks {
				d.sid = sid
				out = append(out, d)
			}
		}
	}
	return out
}

// readDisk reads the directory of a SCSI device; not ok: it is no disk.
func readDisk(dir string) (disk, bool) {
	where := filepath.Base(dir)
	if strings.Count(where, ":") != 3 {
		return disk{}, false
	}
	class := filepath.Join(dir, "scsi_disk", where)
	var st unix.Stat_t
	if unix.Stat(class, &st) != nil {
		return disk{}, false
	}
	d := disk{where: where, id: st.Ino, dir: dir, attr: filepath.Join(class, "max_retries")}
	if block := names(filepath.Join(dir, "block")); len(block) == 1 {
		d.name = block[0]
		d.block = withPartitions(filepath.Join(dir, "block", d.name))
	}
	return d, true
}

// withPartitions returns the directory of a block device and those of its
// partitions, whose names begin with the device's.
func withPartitions(dir string) []string {
	out := []string{dir}
	for _, name := range names(dir) {
		if strings.HasPrefix(name, filepath.Base(dir)) {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// names lists a directory in order; one that is not there is empty.
func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	all, _ := f.Readdirnames(maxNames)
	slices.Sort(all)
	return all
}

// word reads an attribute; empty: it is not there.
func word(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number reads an attribute that is a number.
func number(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

// store writes an attribute that is there already.
func store(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
