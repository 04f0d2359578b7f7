package network

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// tasks are the goroutines of a Network other than its loop, each by the link that it works on. A
// link's driver can block one in a system call that nothing ends: so nothing waits for tasks
// without a limit.
type tasks struct {
	mu      sync.Mutex // no other lock is taken under it; not held during system calls
	busy    map[string]int
	last    map[int]<-chan struct{} // by link: closed at the end of what was queued last
	changed chan struct{}           // closed at the next end of one
}

func newTasks() *tasks {
	return &tasks{busy: map[string]int{}, last: map[int]<-chan struct{}{}, changed: make(chan struct{})}
}

// start runs f for a link in a goroutine, which ends when f returns. A panic of f is passed to
// failed.
func (t *tasks) start(link string, f func(), failed func(error)) {
	t.mu.Lock()
	t.busy[link]++
	t.mu.Unlock()
	contain.Go("network", func() {
		defer t.end(link)
		contain.Func("network "+link, f, failed)()
	}, nil)
}

// queue is start after all tasks that were queued for the same link before: setting a link down
// must not overtake setting it up.
func (t *tasks) queue(index int, link string, f func(), failed func(error)) {
	done := make(chan struct{})
	t.mu.Lock()
	before := t.last[index]
	t.last[index] = done
	t.mu.Unlock()
	t.start(link, func() {
		defer close(done)
		if before != nil {
			<-before
		}
		f()
	}, failed)
}

func (t *tasks) end(link string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[link]--; t.busy[link] == 0 {
		delete(t.busy, link)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// state returns the links of running tasks, and a channel that is closed when one ends.
func (t *tasks) state() (links []string, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.busy)), t.changed
}

// wait returns when no task is left, or, when ctx ends, the links of those that are.
func (t *tasks) wait(ctx context.Context) (left []string) {
	for {
		links, changed := t.state()
		if len(links) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return links
		}
	}
}
