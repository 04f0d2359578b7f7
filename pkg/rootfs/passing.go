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

// unread is a disk that could not be looked at, for a reason that may pass: a path in ALUA standby
// or transition, a LUN that becomes ready, a session that is down.
type unread struct {
	disk string // empty: the LUN has none yet
	err  error
}

// errNoSize is a disk whose size the kernel could not ask for (READ CAPACITY).
var errNoSize = errors.New("is not ready: it has no size")

// unreadOn are the disks that a device stands on.
func unreadOn(d *blockdev.Device, err error) []unread {
	var out []unread
	for _, disk := range d.Disks() {
		out = append(out, unread{disk.Name, err})
	}
	return out
}

// passing are the errors of a read or an open that may pass. Which one it is depends on the
// kernel's release (block/blk-core.c: blk_errors).
var passing = []error{unix.EIO, unix.ENXIO, unix.ENODEV, unix.ENOMEDIUM, unix.EAGAIN, unix.ETIMEDOUT, unix.ENOLINK, unix.EREMOTEIO, unix.EBADE}

// passes reports whether an error of a read or an open may pass. Those of mount(2) have no path,
// and other meanings.
func passes(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && slices.ContainsFunc(passing, func(p error) bool { return errors.Is(path.Err, p) })
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

// unreadOf lists what a search could not read.
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

// describeUnread is the end of an error that is about something else.
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

// passPatience is for how long errors that may pass are waited for while root is looked for. A
// broken disk has the same errors.
const passPatience = 30 * time.Second

// patience is how a search for root waits for what may pass. While a session is down it has no end,
// but for rd.timeout=.
type patience struct {
	st    *Storage
	retry sequence.RetryLog
	since time.Time // of the first such error
	// announced are the sessions whose other LUNs were said to be looked at.
	announced map[int]bool
}

// newPatience begins a search for "root" or "/usr".
func (st *Storage) newPatience(what string) *patience {
	return &patience{st: st, retry: sequence.RetryLog{Log: st.Log, Step: what}}
}

// try searches, and probes the disks that could not be read and searches again until all could, or
// root is found, or patience is at its end.
func (p *patience) try(ctx context.Context, search func() error) error {
	var pause sequence.Backoff
	for {
		err := search()
		list := unreadOf(err)
		if len(list) == 0 || ctx.Err() != nil || p.over() {
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

// everywhere goes on to the LUNs that were not scanned, after a search of those that were, which
// ended with reason.
func (p *patience) everywhere(ctx context.Context, reason error, f finder) error {
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

func (p *patience) over() bool {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if limit := p.st.Plan.Policy.Timeout.V; limit > 0 && time.Since(p.st.Started) >= limit {
		return true
	}
	return time.Since(p.since) >= passPatience && p.st.Sessions.Down() == ""
}

// probeAgain makes the kernel read anew what it knows of disks: size, names and partitions, which
// it does not do by itself.
func (st *Storage) probeAgain(ctx context.Context, list []unread) {
	for _, u := range list {
		disks := st.allDisks()
		at := slices.IndexFunc(disks, func(d *blockdev.Device) bool { return d.Name == u.disk })
		if at < 0 {
			continue // what is not counted yet is scanned again
		}
		i := st.sessionOf(disks[at])
		if i < 0 {
			continue // its session is made anew
		}
		limited, cancel := context.WithTimeout(ctx, readyPatience)
		err := st.Sessions.RepeatIfLost(limited, st.Sessions.List()[i], func(bool) error {
			defer sequence.Doing(ctx, "probe of "+u.disk)()
			return blockdev.ProbeAgain("/sys", "/dev", u.disk)
		})
		cancel()
		if err != nil {
			st.Log.Debugf("%v", err)
		}
	}
}
