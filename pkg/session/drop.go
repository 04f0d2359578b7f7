package session

import (
	"context"
	"errors"
)

// Stop gives the connection up, if there is one, and keeps the session, so that Login can be called
// again. The kernel holds I/O to its disks back until then.
func (s *Session) Stop(ctx context.Context) error {
	if !s.kernel.Bound() {
		return nil
	}
	return s.stop(ctx)
}

// Destroy removes the session and its disks from the kernel without a logout. It is for a person
// who wants another target; a retry keeps the session.
func (s *Session) Destroy(ctx context.Context) error {
	stopped := s.Stop(ctx)
	if err := s.kernel.Destroy(ctx); err != nil {
		return errors.Join(stopped, err)
	}
	return nil
}

// End removes the session and its disks, whatever their state: what waits for them gets errors.
// Nothing is said to the target.
func (s *Session) End(ctx context.Context) error { return s.kernel.End(ctx) }
