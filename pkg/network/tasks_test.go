package network

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Stop waits for running tasks as long as necessary, and no longer than its limit for one that a
// driver blocks.
func TestStopIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name        string
		limit, took time.Duration // of Config, and of the task; 0: no limit
		want        time.Duration
		warned      []string
	}{
		{"in time", 0, time.Second, time.Second, nil},
		{"default", 0, 0, stopLimit, []string{"link eth1: its driver does not return from a system call"}},
		{"given", time.Minute, 0, time.Minute, []string{"link eth1: its driver does not return from a system call"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var warned []string
				n := &Network{
					cfg:   Config{StopLimit: tt.limit, Warn: func(text string) { warned = append(warned, text) }},
					tasks: newTasks(), ended: make(chan struct{}),
				}
				n.ctx, n.cancel = context.WithCancel(t.Context())
				close(n.ended)
				over := make(chan struct{})
				n.tasks.start("eth0", func() {}, nil)
				n.tasks.start("eth1", func() {
					if tt.took > 0 {
						time.Sleep(tt.took)
					} else {
						<-over
					}
				}, nil)
				began := time.Now()
				n.Stop()
				if took := time.Since(began); took != tt.want || !slices.Equal(warned, tt.warned) {
					t.Errorf("took %v, want %v; warned %q", took, tt.want, warned)
				}
				close(over)
			})
		})
	}
}

// Tasks that are queued for a link keep their order, and another link does not wait.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := newTasks()
		events := make(chan string, 4)
		tasks.queue(1, "eth0", func() { time.Sleep(time.Minute); events <- "set eth0 up" }, nil)
		tasks.queue(1, "eth0", func() { events <- "set eth0 down" }, nil)
		tasks.queue(2, "eth1", func() { events <- "set eth1 up" }, nil)
		tasks.queue(2, "eth1", func() { panic("oops") }, func(err error) { events <- err.Error() })
		if left := tasks.wait(t.Context()); left != nil {
			t.Errorf("left %q", left)
		}
		close(events)
		var got []string
		for e := range events {
			got = append(got, e)
		}
		if want := []string{"set eth1 up", "internal error: panic in network eth1: oops", "set eth0 up", "set eth0 down"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}
