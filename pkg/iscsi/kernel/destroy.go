package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Destroy removes a session that was never started, and returns when it is gone.
func (s *Session) Destroy(ctx context.Context) error {
	ev := &uevent{typ: destroyConn}
	ev.putU(s.SID, s.CID)
	if err := s.t.command(ctx, ev, s.String()); err != nil {
		return err
	}
	return s.destroySession(ctx)
}

// End closes the connection and removes the session and its disks in any state: pending I/O fails.
// It returns when they are gone. Nothing is sent to the target. A session whose connection another
// process has removed, which ended then, is removed too.
func (s *Session) End(ctx context.Context) error {
	stopped := s.stop(ctx, stopTerm)
	err := s.Destroy(ctx)
	if isErrno(err, unix.EINVAL) { // no connection: drivers/scsi/scsi_transport_iscsi.c: iscsi_if_destroy_conn
		err = s.destroySession(ctx)
	}
	if err != nil {
		return errors.Join(stopped, err)
	}
	return nil
}

// destroySession removes a session without a connection. The kernel does it in a work queue, and
// sends an event at its end. An older kernel does it in the request, which keeps all other requests
// waiting (drivers/scsi/scsi_transport_iscsi.c: iscsi_if_rx, rx_queue_mutex), and drops
// the signals of this thread, also the one that ends the process, which is there for good then
// (drivers/scsi/libiscsi.c: iscsi_host_remove, flush_signals).
func (s *Session) destroySession(ctx context.Context) error {
	end := s.t.awaitEnd(s.SID)
	defer s.t.forgetEnd(s.SID)
	ev := &uevent{typ: destroySessionAsync}
	ev.putU(s.SID)
	err := s.t.command(ctx, ev, s.String())
	switch {
	case isErrno(err, unix.ENOSYS):
		ev = &uevent{typ: destroySession}
		ev.putU(s.SID)
		err = s.t.command(ctx, ev, s.String())
	case err == nil, isErrno(err, unix.EINVAL) && s.shown(): // EINVAL: an earlier request is being done
		err = s.waitEnd(ctx, end)
	}
	s.destroyed = err == nil
	return err
}

// shown reports whether the kernel shows the session.
func (s *Session) shown() bool {
	_, err := os.Lstat(s.t.sysfs.SessionPath(s.SID, ""))
	return err == nil
}

// endTimeout bounds the wait for the end of a session.
const endTimeout = 10 * time.Second

// waitEnd waits until the kernel has removed the session. end receives what may be news of that.
func (s *Session) waitEnd(ctx context.Context, end <-chan error) error {
	late := time.NewTimer(endTimeout)
	defer late.Stop()
	for s.shown() {
		var err error
		select {
		case err = <-end:
			if err == nil {
				return nil
			}
			continue // events were lost
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.t.done:
			err = s.t.readErr
		case <-late.C:
			err = os.ErrDeadlineExceeded
		}
		if s.shown() {
			return fmt.Errorf("destroy %s: no end of it from the kernel: %w", s, err)
		}
	}
	return nil
}

// awaitEnd returns a channel that receives when the kernel has removed a session: nil, or an error
// after which that may be so, because events were lost. forgetEnd ends that.
func (t *Transport) awaitEnd(sid uint32) <-chan error {
	end := make(chan error, 1)
	t.mu.Lock()
	t.ends[sid] = end
	t.mu.Unlock()
	return end
}

func (t *Transport) forgetEnd(sid uint32) {
	t.mu.Lock()
	delete(t.ends, sid)
	t.mu.Unlock()
}

// ended passes on that a session was removed. mu is held.
func (t *Transport) ended(sid uint32, err error) {
	end := t.ends[sid]
	if end == nil {
		return
	}
	select {
	case <-end: // the one before
	default:
	}
	end <- err // no other goroutine sends: mu is held
}
