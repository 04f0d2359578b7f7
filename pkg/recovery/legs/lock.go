package legs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockGroup keeps lvm2's commands away from a volume group as they keep each other away
// (lib/locking/file_locking.c, lib/misc/lvm-flock.c): by an exclusive flock of V_NAME, which is
// deleted with the lock. It does not wait: unix.EWOULDBLOCK. Without the directory lvm2 has not run
// yet, or the system has none.
func lockGroup(dir, vg string) (release func(), err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return func() {}, nil
	}
	path := filepath.Join(dir, "V_"+vg)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o777)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return nil, errors.Join(fmt.Errorf("lvm is at work on it: %w", err), f.Close())
		}
		locked, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(locked, now) {
			return func() { _, _ = os.Remove(path), f.Close() }, nil
		}
		_ = f.Close() // its last holder has deleted it
	}
}
