package session

import (
	"context"
	"errors"
)

// Stop stops the connection, if there is one, and keeps the session, so that Login can be called
// again. Until then the kernel queues the I/O of its disks.
func (s *Session) Stop(ctx context.Context) error {
	if !s.kernel.Bound() {
		return nil
	}
	return s.stop(ctx)
}

// Destroy removes the session and its disks from the kernel without a logout. It is for a user who
// changes the target; a retry keeps the session.
func (s *Session) Destroy(ctx context.Context) error {
	stopped := s.Stop(ctx)
	if err := s.kernel.Destroy(ctx); err != nil {
		return errors.Join(stopped, err)
	}
	return nil
}

// End removes the session and its disks in any state: pending I/O fails. Nothing is sent to the
// target.
func (s *Session) End(ctx context.Context) error { return s.kernel.End(ctx) }
