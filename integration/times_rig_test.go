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

// testCost has the times of one test.
type testCost struct {
	wall     time.Duration
	machines int
	phases   lab.Phases
}

// timeTable adds up the times of the tests.
type timeTable struct {
	mu    sync.Mutex
	tests map[string]*testCost
}

// times are those of this run.
var times = &timeTable{tests: map[string]*testCost{}}

// queue schedules the tests of this run.
var queue scheduler

// begin waits until the scheduler starts the test, and measures its time.
func begin(t *testing.T) {
	t.Helper()
	t.Parallel()
	queue.wait(t)
	history.start(t.Name())
	times.begin(t)
}

// begin starts a test's clock, which stops at the test's end.
func (l *timeTable) begin(t *testing.T) {
	start := time.Now()
	t.Cleanup(func() {
		took := time.Since(start)
		l.note(t.Name(), func(s *testCost) { s.wall += took })
		history.end(os.Stdout, t.Name(), took, !t.Failed())
	})
}

// watch records the times of a machine at the test's end.
func (l *timeTable) watch(t testing.TB, m *lab.Machine) {
	t.Cleanup(func() {
		l.note(t.Name(), func(s *testCost) {
			s.machines++
			s.phases.Add(m.Phases())
		})
	})
}

func (l *timeTable) note(test string, f func(*testCost)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tests[test] == nil {
		l.tests[test] = &testCost{}
	}
	f(l.tests[test])
}

// phaseNames are the columns of the table.
var phaseNames = []string{"firmware", "kernel", "init", "system", "teardown"}

// write prints the tests, the slowest first: their seconds, how many machines they booted, the
// seconds of processor time that the machines took on the host, and the seconds of each phase. The
// machines of a test may run in parallel.
func (l *timeTable) write(w io.Writer) {
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
	var sum testCost
	for _, name := range names {
		s := l.tests[name]
		s.line(w, name)
		sum.wall += s.wall
		sum.machines += s.machines
		sum.phases.Add(s.phases)
	}
	sum.line(w, "all")
}

func (s *testCost) line(w io.Writer, name string) {
	fmt.Fprintf(w, "%8.1f %8d %8.1f", s.wall.Seconds(), s.machines, s.phases.Sum().CPU.Seconds())
	for _, p := range s.phases {
		fmt.Fprintf(w, " %8.1f", p.Wall.Seconds())
	}
	fmt.Fprintf(w, "  %s\n", name)
}
