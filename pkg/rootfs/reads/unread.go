package reads

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// Unread is a disk that could not be read, for a temporary reason: a path in ALUA standby or
// transition, a LUN that becomes ready, a session that is down.
type Unread struct {
	Disk string // empty: the LUN has none yet
	Err  error
}

// ErrNoSize is the error for a disk whose size the kernel could not read (READ CAPACITY).
var ErrNoSize = errors.New("is not ready: it has no size")

// UnreadOn lists the disks, and multipath maps, that a device stands on.
func UnreadOn(d *blockdev.Device, err error) []Unread {
	var out []Unread
	for _, disk := range d.Units() {
		out = append(out, Unread{disk.Name, err})
	}
	return out
}

// temporaryErrors are the errors of a read or an open that may be temporary. Which one it is
// depends on the kernel's release (block/blk-core.c: blk_errors).
var temporaryErrors = []error{unix.EIO, unix.ENXIO, unix.ENODEV, unix.ENOMEDIUM, unix.EAGAIN, unix.ETIMEDOUT, unix.ENOLINK, unix.EREMOTEIO, unix.EBADE}

// Temporary reports whether an error of a read or an open may be temporary. Those of mount(2) have
// no path, and other meanings. That a session is down is temporary too.
func Temporary(err error) bool {
	var path *fs.PathError
	var down *DownError
	return errors.As(err, &down) || errors.As(err, &path) && TemporaryErrno(path.Err)
}

// TemporaryErrno reports whether an error number of a read or an open may be temporary.
func TemporaryErrno(err error) bool {
	return slices.ContainsFunc(temporaryErrors, func(p error) bool { return errors.Is(err, p) })
}

// Describe describes unread disks, to be appended to another error.
func Describe(list []Unread) string {
	var out []string
	for _, u := range list {
		text := u.Err.Error()
		if u.Disk != "" && !strings.Contains(text, u.Disk) {
			text = "disk " + u.Disk + " " + text
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; not all could be read: " + strings.Join(out, ", ")
}
