package redundancy

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// busy is what the kernel lists as in use.
type busy struct {
	numbers map[string]bool // of mounted file systems, "8:2"
	names   map[string]bool // of swap, of members of a btrfs and of what is open, "sda2", or as in /dev/mapper
	unknown bool            // the mounts cannot be read
}

// readBusy reads the mounts of process 1, because a process may have a mount namespace of its own,
// the swap, the members of each btrfs, which is mounted under a number of its own, and what is
// below loop devices and exports.
func (r *Rule) readBusy() busy {
	b := busy{numbers: map[string]bool{}, names: map[string]bool{}}
	text, err := os.ReadFile(filepath.Join(r.Proc, "1/mountinfo"))
	b.unknown = err != nil
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 { // proc(5): id, parent, major:minor
			b.numbers[f[2]] = true
		}
	}
	text, _ = os.ReadFile(filepath.Join(r.Proc, "swaps"))
	for line := range strings.Lines(string(text)) {
		if path, _, _ := strings.Cut(line, " "); strings.HasPrefix(path, "/dev/") {
			b.names[filepath.Base(mounts.Unescape(path))] = true
		}
	}
	members, _ := filepath.Glob(filepath.Join(r.Sys, "fs/btrfs/*/devices/*")) // the pattern is good
	for _, path := range members {
		b.names[filepath.Base(path)] = true
	}
	r.opensNamed(&b)
	return b
}

// has reports whether a device is among them.
func (b busy) has(d *blockdev.Device) bool {
	number := table.Number(d.Number)
	return b.unknown || b.numbers[number.String()] || b.names[d.Name] || d.Map != "" && b.names[d.Map]
}
