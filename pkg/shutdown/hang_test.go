package shutdown

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// halfDead is a System with a file system that hangs, and one that is busy for some rounds.
type halfDead struct {
	*fake
	tries map[string]int
}

func (h *halfDead) Unmount(dir string) error {
	h.mu.Lock()
	h.tries[dir]++
	h.mu.Unlock()
	if dir == "/oldroot/dead" {
		<-h.hang
		return errors.New("input/output error")
	}
	return h.fake.Unmount(dir)
}

// A file system that hangs is tried once, also when others are tried again: each try would take its
// time, and leave a thread in the kernel.
func TestHangingMountIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{began: time.Now(), hang: make(chan struct{}), busy: 3, mounts: []string{"/oldroot/dead", "/oldroot/busy"}}
		h := &halfDead{f, map[string]int{}}
		if err := Run(h, runstate.PowerOff, f); err != nil {
			t.Error(err)
		}
		close(f.hang)
		synctest.Wait()
		if h.tries["/oldroot/dead"] != 1 || h.tries["/oldroot/busy"] != 4 {
			t.Errorf("tries: %v", h.tries)
		}
	})
}
