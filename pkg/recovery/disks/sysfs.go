package disks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// disk is a disk of a session in sysfs.
type disk struct {
	blockdev.LUN
	id    uint64 // a number that sysfs gives to no other disk while it runs
	dir   string // of the SCSI device
	attr  string // the file of its retries, which kernels before 5.10 do not have
	block string // directory of the block device, if there is one
}

// Limits far above what a machine has, so that an error of the kernel does not fill the agent's
// memory.
const (
	maxNames = 1 << 16 // in a directory
	maxDisks = 1024    // of a session
)

// findDisks lists the disks of a session that sd has bound.
func findDisks(sys string, sid uint32) []disk {
	luns, _ := blockdev.LUNs(sys, sid) // a removed session has none
	var out []disk
	for _, lun := range luns {
		dir := lun.Dir(sys)
		class := filepath.Join(dir, "scsi_disk", lun.Address)
		var st unix.Stat_t
		if unix.Stat(class, &st) == nil && len(out) < maxDisks {
			out = append(out, disk{
				LUN: lun, id: st.Ino, dir: dir, attr: filepath.Join(class, "max_retries"),
				block: filepath.Join(dir, "block", lun.Disk),
			})
		}
	}
	return out
}

// readNames lists a directory in order; a missing one is empty.
func readNames(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	all, _ := f.Readdirnames(maxNames)
	slices.Sort(all)
	return all
}

// readString reads an attribute; empty: it is not there.
func readString(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// readInt reads an attribute that is a number.
func readInt(path string) (int, error) {
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

// writeFile writes an attribute that is there already.
func writeFile(path, value string) error {
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
