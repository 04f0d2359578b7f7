package rootfs

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// unread is a disk that could not be read, for a temporary reason: a path in ALUA standby or
// transition, a LUN that becomes ready, a session that is down.
type unread struct {
	disk string // empty: the LUN has none yet
	err  error
}

// errNoSize is the error for a disk whose size the kernel could not read (READ CAPACITY).
var errNoSize = errors.New("is not ready: it has no size")

// unreadOn lists the disks that a device stands on.
func unreadOn(d *blockdev.Device, err error) []unread {
	var out []unread
	for _, disk := range d.Disks() {
		out = append(out, unread{disk.Name, err})
	}
	return out
}

// temporaryErrors are the errors of a read or an open that may be temporary. Which one it is
// depends on the kernel's release (block/blk-core.c: blk_errors).
var temporaryErrors = []error{unix.EIO, unix.ENXIO, unix.ENODEV, unix.ENOMEDIUM, unix.EAGAIN, unix.ETIMEDOUT, unix.ENOLINK, unix.EREMOTEIO, unix.EBADE}

// temporary reports whether an error of a read or an open may be temporary. Those of mount(2) have
// no path, and other meanings. That a session is down is temporary too.
func temporary(err error) bool {
	var path *fs.PathError
	return errorAs[*downError](err) || errors.As(err, &path) && slices.ContainsFunc(temporaryErrors, func(p error) bool { return errors.Is(path.Err, p) })
}

// unreadError is a device that was found and could not be read.
type unreadError struct {
	on  []unread
	err error
}

// Error implements error.
func (e *unreadError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *unreadError) Unwrap() error { return e.err }

// unreadOf lists the disks that a search could not read.
func unreadOf(err error) []unread {
	var one *unreadError
	if errors.As(err, &one) {
		return one.on
	}
	if a := absenceOf(err); a != nil {
		return a.unread
	}
	return nil
}

// describeUnread describes unread disks, to be appended to another error.
func describeUnread(list []unread) string {
	var out []string
	for _, u := range list {
		text := u.err.Error()
		if u.disk != "" && !strings.Contains(text, u.disk) {
			text = "disk " + u.disk + " " + text
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

// temporaryLimit is for how long temporary errors are waited for while root is looked for. A broken
// disk has the same errors.
const temporaryLimit = 30 * time.Second

// rootSearch is a search for root that waits for temporary errors. While a session is down only
// rd.timeout= limits it.
type rootSearch struct {
	st    *Storage
	retry sequence.RetryLog
	since time.Time // of the first such error
	// announced are the sessions for which the search of other LUNs was logged.
	announced map[int]bool
}

// newRootSearch begins a search for "root" or "/usr".
func (st *Storage) newRootSearch(what string) *rootSearch {
	return &rootSearch{st: st, retry: sequence.RetryLog{Log: st.Log, Step: what}}
}

// try searches, and as long as disks could not be read it probes them and searches again, until
// root is found, the limit is over, or root is on what can do without them and has waited for them
// long enough.
func (p *rootSearch) try(ctx context.Context, search func() error) error {
	var pause sequence.Backoff
	for {
		err := search()
		list := unreadOf(err)
		if len(list) == 0 || ctx.Err() != nil || p.over() || p.st.degradedDue(err) {
			if err == nil {
				p.retry.Succeeded()
			}
			return err
		}
		p.retry.Failed(err)
		pause.Wait(ctx)
		p.st.probeAgain(ctx, list)
	}
}

// everywhere searches the LUNs that were not scanned, after a search of those that were, which
// ended with reason.
func (p *rootSearch) everywhere(ctx context.Context, reason error, f finder) error {
	again := false
	return p.try(ctx, func() error {
		if again {
			reason = f.all()
		}
		again = true
		if !absent(reason) {
			return reason
		}
		return p.onOtherLUNs(ctx, reason, f)
	})
}

func (p *rootSearch) over() bool {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if limit := p.st.Plan.Policy.Timeout.V; limit > 0 && time.Since(p.st.Started) >= limit {
		return true
	}
	return time.Since(p.since) >= temporaryLimit && p.st.Sessions.Down() == ""
}

// probeAgain makes the kernel read the size, names and partitions of disks again, which it does not
// do by itself.
func (st *Storage) probeAgain(ctx context.Context, list []unread) {
	for _, u := range list {
		disks := st.allDisks()
		at := slices.IndexFunc(disks, func(d *blockdev.Device) bool { return d.Name == u.disk })
		if at < 0 {
			continue // a LUN that is not counted yet is scanned again
		}
		i := st.sessionOf(disks[at])
		if i < 0 || st.down(i) {
			continue // its session is created again, or is down
		}
		limited, cancel := context.WithTimeout(ctx, readyLimit)
		s := st.Sessions.List()[i]
		err := st.Sessions.RepeatIfLost(limited, s, func(bool) error {
			return st.calls.Once(limited, s.SID, "probe of "+u.disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.disk) })
		})
		cancel()
		if err != nil {
			st.Log.Debugf("%v", err)
		}
	}
}
