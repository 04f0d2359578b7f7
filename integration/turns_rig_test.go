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

// turns lets tests run beside each other: the longest first, and as many as keep the processors busy. Most of a test is either
// a machine at work, which takes a processor, or a wait, which takes none; a fixed number would have the processors idle in the
// waits, or the machines so slow that they miss deadlines.
type turns struct {
	mu      sync.Mutex
	waiting []*turn // the longest first
	running int
	started bool
	busy    busyMeter
}

// turn is a test that waits for its turn.
type turn struct {
	test string
	long time.Duration // what it is expected to take
	goOn chan struct{}
}

// fewest tests run in any case, and at most most.
var (
	fewest = runtime.NumCPU() + 1
	most   = 5 * runtime.NumCPU()
)

// Another test is started when the processors were idle for idleShare of the last interval and there are memoryOfOne KiB of
// memory; the first ones wait for one interval, in which those that are longer come.
const (
	turnInterval = time.Second
	idleShare    = 0.15
	memoryOfOne  = 2 << 20
)

// wait returns when it is the test's turn, which ends with the test.
func (q *turns) wait(t *testing.T) {
	t.Helper()
	w := &turn{test: t.Name(), long: history.expect(t.Name()), goOn: make(chan struct{})}
	q.mu.Lock()
	at, _ := slices.BinarySearchFunc(q.waiting, w, func(a, b *turn) int {
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
	<-w.goOn
	t.Cleanup(q.done)
}

// done ends a turn.
func (q *turns) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.fill()
}

// serve starts tests as the processors become idle. It runs until the process ends: subtests may come at any time.
func (q *turns) serve() {
	for {
		time.Sleep(turnInterval)
		q.mu.Lock()
		q.fill()
		if q.busy.idle() >= idleShare && q.running < most && roomForOne() {
			q.next()
		}
		q.mu.Unlock()
	}
}

// fill starts tests until there are fewest; mu is held.
func (q *turns) fill() {
	for q.running < fewest && q.next() {
		continue
	}
}

// next starts the longest test; mu is held.
func (q *turns) next() bool {
	if len(q.waiting) == 0 {
		return false
	}
	q.running++
	close(q.waiting[0].goOn)
	q.waiting = q.waiting[1:]
	return true
}

// busyMeter measures how idle the processors are, by the first line of /proc/stat (proc_stat(5)).
type busyMeter struct{ idleTicks, allTicks uint64 }

// normalNice is nice value 0 as getpriority(2)'s system call returns it: 20 less the value.
const normalNice = 20

// idle is the idle share since the last call; 0 if it is not known, as in a container that sees the processors of its host.
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
		idleTicks += ticks[1] // what is niced gives way to tests that are not
	}
	idle, all := idleTicks-b.idleTicks, sum-b.allTicks
	first := b.allTicks == 0
	b.idleTicks, b.allTicks = idleTicks, sum
	if first || all == 0 {
		return 0
	}
	return float64(idle) / float64(all)
}

// roomForOne tells whether there is memory for another machine, by /proc/meminfo (proc_meminfo(5)).
func roomForOne() bool {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), "\nMemAvailable:")
	var kib uint64
	_, err = fmt.Sscan(after, &kib)
	return err == nil && kib >= memoryOfOne
}
