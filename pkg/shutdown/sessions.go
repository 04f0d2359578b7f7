package shutdown

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// found is a session of ours that still exists.
type found struct{ sid, host uint32 }

// find returns the sessions of the list that the kernel still has. Others in
// the kernel are somebody else's.
func (l *linux) find() []found {
	ids := l.ids
	if ids == nil {
		b, err := os.ReadFile(l.sessions)
		if err != nil {
			return nil
		}
		ids = listed(string(b))
	}
	var out []found
	for _, sid := range ids {
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

// Sessions implements System.
func (l *linux) Sessions() ([]Session, error) {
	all := l.find()
	if len(all) == 0 {
		return nil, nil
	}
	t := l.transport
	if t == nil {
		var err error
		if t, err = kernel.Open(); err != nil { // until the machine ends
			return nil, err
		}
	}
	var out []Session
	for _, f := range all {
		out = append(out, &live{Session: t.Adopt(f.sid, f.host), sys: l.sys, host: f.host})
	}
	return out, nil
}

// live is a session in the kernel.
type live struct {
	*kernel.Session
	sys  string
	host uint32
}

// sdMaxRetries is a disk's number of retries as the kernel has it
// (drivers/scsi/sd.h: SD_MAX_RETRIES).
const sdMaxRetries = "5"

// limitRetries gives the disks their retries back, of which the agent has taken
// the limit (pkg/recovery/disks): a target that is broken must not hold a
// shutdown up. What was sent before keeps its own. Kernels before 5.10 have no
// such file.
func (s *live) limitRetries() {
	paths, _ := filepath.Glob(fmt.Sprintf("%s/class/scsi_disk/%d:*/max_retries", s.sys, s.host))
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(b), "-") {
			_ = os.WriteFile(path, []byte(sdMaxRetries), 0)
		}
	}
}

// Flush implements Session. Deleting a disk sends SYNCHRONIZE CACHE to it
// (drivers/scsi/sd.c: sd_shutdown).
func (s *live) Flush() error {
	s.limitRetries()
	disks, err := filepath.Glob(fmt.Sprintf("%s/class/scsi_device/%d:*/device/delete", s.sys, s.host))
	errs := []error{err}
	for _, path := range disks {
		if err := os.WriteFile(path, []byte("1"), 0); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Logout implements Session.
func (s *live) Logout(ctx context.Context) error {
	if state, err := s.State(); err != nil || state != "LOGGED_IN" {
		return fmt.Errorf("is %s: not logged in, so there is no logout", strings.ToLower(state))
	}
	pipe := s.Pipe()
	_, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
	pipe.Close()
	return errors.Join(err, s.End(context.WithoutCancel(ctx)))
}

// Terminate implements Session.
func (s *live) Terminate(ctx context.Context) error { return s.End(ctx) }
