package shutdown

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// sessionHost is a session of the list that still exists.
type sessionHost struct{ sid, host uint32 }

// find returns the sessions of the list that the kernel still has. Other sessions in the kernel
// belong to other programs.
func (l *linux) find() []sessionHost {
	ids := l.ids
	if ids == nil {
		b, err := os.ReadFile(l.sessions)
		if err != nil {
			return nil
		}
		all, _ := runstate.ParseSessions(string(b))
		for _, s := range all {
			ids = append(ids, s.SID)
		}
	}
	var out []sessionHost
	for _, sid := range ids {
		if host, ok := kernel.Sysfs(l.sys).HostOf(sid); ok {
			out = append(out, sessionHost{sid, host})
		}
	}
	return out
}

// Sessions implements System.
func (l *linux) Sessions() ([]Session, error) { return l.adopt(l.find()) }

// adopt returns sessions of the kernel.
func (l *linux) adopt(all []sessionHost) ([]Session, error) {
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
		out = append(out, &kernelSession{Session: t.Adopt(f.sid, f.host), sys: l.sys, host: f.host})
	}
	return out, nil
}

// kernelSession is a session in the kernel.
type kernelSession struct {
	*kernel.Session
	sys  string
	host uint32
}

// sdMaxRetries is a disk's number of retries as the kernel has it (drivers/scsi/sd.h:
// SD_MAX_RETRIES).
const sdMaxRetries = "5"

// limitRetries restores the limit of the disks' retries, which the agent has removed
// (pkg/recovery/disks): a target that is broken must not delay a shutdown. Commands that were sent
// before keep theirs. Kernels before 5.10 have no such file.
func (s *kernelSession) limitRetries() {
	paths, _ := filepath.Glob(fmt.Sprintf("%s/class/scsi_disk/%d:*/max_retries", s.sys, s.host))
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(b), "-") {
			_ = os.WriteFile(path, []byte(sdMaxRetries), 0)
		}
	}
}

// Flush implements Session. Deleting a disk sends SYNCHRONIZE CACHE to it (drivers/scsi/sd.c:
// sd_shutdown).
func (s *kernelSession) Flush() error {
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

// errNoLogin is for a session that has no login to end.
var errNoLogin = errors.New("was never logged in")

// Logout implements Session.
func (s *kernelSession) Logout(ctx context.Context) error {
	if kernel.Sysfs(s.sys).Reserved(s.SID) {
		return errNoLogin
	}
	if state, err := s.State(); err != nil || state != "LOGGED_IN" {
		return fmt.Errorf("is %s: not logged in, so there is no logout", strings.ToLower(state))
	}
	pipe := s.Pipe()
	_, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
	pipe.Close()
	return errors.Join(err, s.End(context.WithoutCancel(ctx)))
}

// Terminate implements Session.
func (s *kernelSession) Terminate(ctx context.Context) error { return s.End(ctx) }
