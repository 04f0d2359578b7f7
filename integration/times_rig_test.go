package integration

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// spent is what one test took.
type spent struct {
	wall     time.Duration
	machines int
	phases   lab.Phases
}

// ledger adds up what the tests take.
type ledger struct {
	mu    sync.Mutex
	tests map[string]*spent
}

// times are those of this run.
var times = &ledger{tests: map[string]*spent{}}

// queue gives the tests of this run their turns.
var queue turns

// begin waits for the test's turn to run beside others, and takes its time.
func begin(t *testing.T) {
	t.Helper()
	t.Parallel()
	queue.wait(t)
	history.start(t.Name())
	times.begin(t)
}

// begin starts a test's clock, which its end stops.
func (l *ledger) begin(t *testing.T) {
	start := time.Now()
	t.Cleanup(func() {
		took := time.Since(start)
		l.note(t.Name(), func(s *spent) { s.wall += took })
		history.end(os.Stdout, t.Name(), took, !t.Failed())
	})
}

// watch notes at the test's end what a machine took.
func (l *ledger) watch(t testing.TB, m *lab.Machine) {
	t.Cleanup(func() {
		l.note(t.Name(), func(s *spent) {
			s.machines++
			s.phases.Add(m.Phases())
		})
	})
}

func (l *ledger) note(test string, f func(*spent)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tests[test] == nil {
		l.tests[test] = &spent{}
	}
	f(l.tests[test])
}

// phaseNames are the columns of the table.
var phaseNames = []string{"firmware", "kernel", "init", "system", "teardown"}

// write prints the tests, the slowest first: their seconds, how many machines they booted, the seconds of processor time that
// the machines took on the host, and the seconds of each phase. The machines of a test may run beside each other.
func (l *ledger) write(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := slices.SortedFunc(maps.Keys(l.tests), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.tests[b].wall, l.tests[a].wall), strings.Compare(a, b))
	})
	fmt.Fprintf(w, "%8s %8s %8s", "seconds", "machines", "cpu")
	for _, p := range phaseNames {
		fmt.Fprintf(w, " %8s", p)
	}
	fmt.Fprintln(w, "  test")
	var sum spent
	for _, name := range names {
		s := l.tests[name]
		s.line(w, name)
		sum.wall += s.wall
		sum.machines += s.machines
		sum.phases.Add(s.phases)
	}
	sum.line(w, "all")
}

func (s *spent) line(w io.Writer, name string) {
	fmt.Fprintf(w, "%8.1f %8d %8.1f", s.wall.Seconds(), s.machines, s.phases.Sum().CPU.Seconds())
	for _, p := range s.phases {
		fmt.Fprintf(w, " %8.1f", p.Wall.Seconds())
	}
	fmt.Fprintf(w, "  %s\n", name)
}
