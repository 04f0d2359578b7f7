package integration

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scheduler runs tests in parallel: the longest first, and as many as keep the processors busy. A
// test is mostly either a busy machine, which uses a processor, or a wait, which uses none; with a
// fixed number the processors would be idle in the waits, or the machines so slow that they miss
// deadlines.
type scheduler struct {
	mu      sync.Mutex
	waiting []*job // the longest first
	running int
	started bool
	busy    busyMeter
}

// job is a test that waits to be started.
type job struct {
	test  string
	long  time.Duration // its expected time
	ready chan struct{}
}

// At least minRunning tests run, and at most maxRunning.
var (
	minRunning = runtime.NumCPU() + 1
	maxRunning = 5 * runtime.NumCPU()
)

// Another test is started when the processors were idle for idleShare of the last interval and
// machineMemory KiB of memory are available. The first tests wait for one interval, in which longer
// ones may be added.
const (
	turnInterval  = time.Second
	idleShare     = 0.15
	machineMemory = 2 << 20
)

// wait waits until the test is started; done is called at the test's end.
func (q *scheduler) wait(t *testing.T) {
	t.Helper()
	w := &job{test: t.Name(), long: history.expect(t.Name()), ready: make(chan struct{})}
	q.mu.Lock()
	at, _ := slices.BinarySearchFunc(q.waiting, w, func(a, b *job) int {
		if a.long >= b.long {
			return -1
		}
		return 1
	})
	q.waiting = slices.Insert(q.waiting, at, w)
	if !q.started {
		q.started = true
		go q.serve()
	}
	q.mu.Unlock()
	<-w.ready
	t.Cleanup(q.done)
}

// done records the end of a test.
func (q *scheduler) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.fill()
}

// serve starts tests as the processors become idle. It runs until the process ends: subtests may
// come at any time.
func (q *scheduler) serve() {
	for {
		time.Sleep(turnInterval)
		q.mu.Lock()
		q.fill()
		if q.busy.idle() >= idleShare && q.running < maxRunning && memoryForMachine() {
			q.next()
		}
		q.mu.Unlock()
	}
}

// fill starts tests until there are minRunning; mu is held.
func (q *scheduler) fill() {
	for q.running < minRunning && q.next() {
		continue
	}
}

// next starts the longest test; mu is held.
func (q *scheduler) next() bool {
	if len(q.waiting) == 0 {
		return false
	}
	q.running++
	close(q.waiting[0].ready)
	q.waiting = q.waiting[1:]
	return true
}

// busyMeter measures how idle the processors are, by the first line of /proc/stat (proc_stat(5)).
type busyMeter struct{ idleTicks, allTicks uint64 }

// normalNice is nice value 0 as getpriority(2)'s system call returns it: 20 less the value.
const normalNice = 20

// idle is the idle share since the last call; 0 if it is not known, as in a container with the
// processors of its host.
func (b *busyMeter) idle() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil || strings.Count(string(text), "\ncpu") != runtime.NumCPU() {
		return 0
	}
	s := bufio.NewScanner(strings.NewReader(string(text)))
	s.Scan()
	var ticks [8]uint64
	_, err = fmt.Sscanf(s.Text(), "cpu %d %d %d %d %d %d %d %d", &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7])
	if err != nil {
		return 0
	}
	var sum uint64
	for _, n := range ticks {
		sum += n
	}
	idleTicks := ticks[3] + ticks[4]
	if nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && nice >= normalNice {
		idleTicks += ticks[1] // niced processes yield to tests that are not niced
	}
	idle, all := idleTicks-b.idleTicks, sum-b.allTicks
	first := b.allTicks == 0
	b.idleTicks, b.allTicks = idleTicks, sum
	if first || all == 0 {
		return 0
	}
	return float64(idle) / float64(all)
}

// memoryForMachine reports whether /proc/meminfo (proc_meminfo(5)) shows enough available memory
// for another machine.
func memoryForMachine() bool {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), "\nMemAvailable:")
	var kib uint64
	_, err = fmt.Sscan(after, &kib)
	return err == nil && kib >= machineMemory
}
