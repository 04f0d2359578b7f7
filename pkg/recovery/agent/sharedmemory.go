package agent

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// half is one of the two processes that watch each other.
type half int

// The halves of the agent.
const (
	supervisorHalf half = iota
	workerHalf
	halves
)

// String names it, in the log and in the report.
func (h half) String() string { return [...]string{"supervisor", "worker"}[h] }

// cause is the reason why a half was replaced.
type cause uint32

// The causes.
const (
	notReplaced cause = iota // it was not replaced
	hasEnded                 // killed, or crashed
	wasStopped               // by SIGSTOP or another stop signal, or by a debugger
	wasStuck                 // no beat
)

// String is its word in the report.
func (c cause) String() string { return [...]string{"runs", "ended", "stopped", "stuck"}[c&3] }

// describe returns what happened to a half, for the log.
func (c cause) describe(silent time.Duration) string {
	return [...]string{"runs", "ended", "was stopped", fmt.Sprintf("did not run for %.0f s", silent.Seconds())}[c&3]
}

// sharedMemory is a page that the supervisor and the workers share: see stateMemory. A new file is
// all zeros, which means no beats.
type sharedMemory struct {
	beats    [halves]atomic.Uint64
	replaced [halves]struct {
		times, cause atomic.Uint32
		at           atomic.Int64 // of the last time, on the clock of clock.SinceBoot
	}
}

// pageAt is the offset of the page in the file, behind the states: a multiple of the page size of
// all machines.
const pageAt = 4 * maxState

// shared maps the page until the process ends. It is mapped so that a beat does not take the file's
// lock, which a write that waits for memory holds.
func (m stateMemory) shared() (*sharedMemory, error) {
	at, err := unix.MmapPtr(int(m.Fd()), pageAt, nil, uintptr(os.Getpagesize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return (*sharedMemory)(at), os.NewSyscallError("mmap", err)
}

// beat counts a beat of a half.
func (p *sharedMemory) beat(h half) { p.beats[h].Add(1) }

// noteReplaced records that a half was replaced.
func (p *sharedMemory) noteReplaced(h half, why cause) {
	r := &p.replaced[h]
	r.cause.Store(uint32(why))
	r.at.Store(int64(clock.SinceBoot()))
	r.times.Add(1)
}

// report writes a line for each half that was replaced.
func (p *sharedMemory) report() string {
	if p == nil {
		return ""
	}
	var out runstate.Status
	for h := range halves {
		if r := &p.replaced[h]; r.times.Load() > 0 {
			out.Replaced = append(out.Replaced, runstate.Replaced{
				Half: h.String(), Times: int(r.times.Load()), Reason: cause(r.cause.Load()).String(), At: time.Duration(r.at.Load()),
			})
		}
	}
	return out.Lines()
}
