package shutdown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// found is a session of ours that still exists.
type found struct{ sid, host uint32 }

// find returns the sessions of the list that the kernel still has. Others in
// the kernel are somebody else's.
func (l *linux) find() []found {
	b, err := os.ReadFile(l.sessions)
	if err != nil {
		return nil
	}
	var out []found
	for _, sid := range listed(string(b)) {
		link, err := filepath.EvalSymlinks(fmt.Sprintf("%s/class/iscsi_session/session%d", l.sys, sid))
		if err != nil {
			continue
		}
		if host, ok := hostOf(link); ok {
			out = append(out, found{sid, host})
		}
	}
	return out
}

// listed reads the ids of the list that pkg/handover writes.
func listed(text string) []uint32 {
	var out []uint32
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "session" {
			continue
		}
		if sid, err := strconv.ParseUint(f[1], 10, 32); err == nil {
			out = append(out, uint32(sid))
		}
	}
	return out
}

// hostOf finds the SCSI host in a session's place in sysfs:
// .../platform/host2/session1/iscsi_session/session1.
func hostOf(path string) (uint32, bool) {
	for part := range strings.SplitSeq(path, "/") {
		if n, ok := strings.CutPrefix(part, "host"); ok {
			if host, err := strconv.ParseUint(n, 10, 32); err == nil {
				return uint32(host), true
			}
		}
	}
	return 0, false
}

// Flush implements System. Deleting a disk sends SYNCHRONIZE CACHE to it
// (drivers/scsi/sd.c: sd_shutdown).
func (l *linux) Flush() error {
	unix.Sync()
	var errs []error
	for _, s := range l.find() {
		disks, err := filepath.Glob(fmt.Sprintf("%s/class/scsi_device/%d:*/device/delete", l.sys, s.host))
		errs = append(errs, err)
		for _, path := range disks {
			errs = append(errs, os.WriteFile(path, []byte("1"), 0))
		}
	}
	return errors.Join(errs...)
}

// Logout implements System.
func (l *linux) Logout(ctx context.Context) error {
	return l.each(ctx, func(s *kernel.Session) error {
		if state, err := s.State(); err != nil || state != "LOGGED_IN" {
			return s.End(ctx) // there is nobody to tell
		}
		pipe := s.Pipe()
		defer pipe.Close()
		_, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
		return errors.Join(err, s.End(context.WithoutCancel(ctx)))
	})
}

// Terminate implements System. It is what unblocks who waits for the disks.
func (l *linux) Terminate(ctx context.Context) error {
	return l.each(ctx, func(s *kernel.Session) error { return s.End(ctx) })
}

// each opens the kernel's iSCSI and does something to each of our sessions.
func (l *linux) each(_ context.Context, do func(*kernel.Session) error) error {
	sessions := l.find()
	if len(sessions) == 0 {
		return nil
	}
	t, err := kernel.Open()
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	var errs []error
	for _, f := range sessions {
		if err := do(t.Adopt(f.sid, f.host)); err != nil {
			errs = append(errs, fmt.Errorf("session %d: %w", f.sid, err))
		}
	}
	return errors.Join(errs...)
}
