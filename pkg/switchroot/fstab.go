package switchroot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// Limits of what is read of an fstab, which is a file of a root that is not checked yet.
const (
	maxFstab   = 256 << 10
	maxEntries = 1000
)

// Entry is a line of fstab(5).
type Entry struct {
	Spec    string // "UUID=...", "/dev/sda3"
	Dir     string // where it is mounted, without a slash at the end
	FSType  string // "auto" if the line has none
	Options string // "defaults" if the line has none
}

// Has reports whether the entry has an option.
func (e Entry) Has(option string) bool {
	for o := range strings.SplitSeq(e.Options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// MountOptions returns the options of mount(2), without those of mount(8) and related programs, and
// without rw, because root too is read-only until the real system remounts it.
func (e Entry) MountOptions() string {
	var out []string
	for o := range strings.SplitSeq(e.Options, ",") {
		switch key, _, _ := strings.Cut(o, "="); key {
		case "", "defaults", "rw", "auto", "noauto", "user", "users", "nouser", "owner", "group", "nofail", "_netdev", "comment", "helper", "uhelper":
			continue
		}
		if !strings.HasPrefix(o, "x-") && !strings.HasPrefix(o, "X-") {
			out = append(out, o)
		}
	}
	return strings.Join(out, ",")
}

// ParseFstab reads the lines of an fstab. Lines with fewer than two fields are ignored, as by
// mount(8).
func ParseFstab(b []byte) []Entry {
	var out []Entry
	for line := range bytes.Lines(b) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0][0] == '#' {
			continue
		}
		e := Entry{Spec: mounts.Unescape(fields[0]), Dir: mounts.Unescape(fields[1]), FSType: "auto", Options: "defaults"}
		if strings.HasPrefix(e.Dir, "/") {
			e.Dir = path.Clean(e.Dir)
		}
		if len(fields) > 2 {
			e.FSType = mounts.Unescape(fields[2])
		}
		if len(fields) > 3 {
			e.Options = mounts.Unescape(fields[3])
		}
		if out = append(out, e); len(out) == maxEntries {
			break
		}
	}
	return out
}

// ReadFstab reads /etc/fstab of the root mounted at dir. A root without one is no error.
func ReadFstab(dir string) ([]Entry, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer func() { _ = unix.Close(root) }()
	f, err := openIn(root, "/etc/fstab")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open etc/fstab: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFstab))
	if err != nil {
		return nil, fmt.Errorf("read etc/fstab: %w", err)
	}
	return ParseFstab(b), nil
}
