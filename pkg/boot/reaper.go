package boot

import (
	"sync"

	"golang.org/x/sys/unix"
)

// reaper collects the exit status of every child, of PID 1 and of processes that have ended, and
// sends that of its own children to the channel that start returned.
type reaper struct {
	mu      sync.Mutex // also held from fork until the child is known
	waiters map[int]chan unix.WaitStatus
}

func newReaper() *reaper { return &reaper{waiters: map[int]chan unix.WaitStatus{}} }

// start runs fork, which returns a child's pid, and returns where the child's status will be sent.
func (r *reaper) start(fork func() (int, error)) (pid int, status <-chan unix.WaitStatus, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err = fork()
	if err != nil {
		return 0, nil, err
	}
	c := make(chan unix.WaitStatus, 1)
	r.waiters[pid] = c
	return pid, c, nil
}

// reap collects all children that have ended. It is called after each SIGCHLD, and one SIGCHLD can
// stand for several children: one that ends after the last wait4 here sends another.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if c, ok := r.waiters[pid]; ok && (status.Exited() || status.Signaled()) {
			c <- status
			delete(r.waiters, pid)
		}
	}
}
