package integration

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// testTimes has the times of the tests when they last passed, from a file in the cache, and the
// progress of this run.
type testTimes struct {
	mu      sync.Mutex
	took    map[string]time.Duration
	begin   time.Time
	known   map[string]bool      // tests of this run
	started map[string]time.Time // those that run
	done    map[string]bool
}

// history has the times of earlier runs.
var history = &testTimes{
	took: map[string]time.Duration{}, begin: time.Now(), known: map[string]bool{}, started: map[string]time.Time{}, done: map[string]bool{},
}

// usual is the estimate for a test that has never run here; usualLong is that for tests that boot a
// whole Debian or build packages.
const (
	usual     = 15 * time.Second
	usualLong = 90 * time.Second
)

var longTests = []string{"TestDebian", "TestNetworkFaults", "TestTargetFaults", "TestPackages", "TestRoom", "TestLIO", "TestManyOutages", "TestRoots", "TestBootFaultMatrix", "TestPaths"}

func historyFile() (string, error) {
	dir, err := deps.CacheDir()
	return filepath.Join(dir, "times", "integration"), err
}

// read reads the file; without one there is no history.
func (p *testTimes) read() {
	file, err := historyFile()
	if err != nil {
		return
	}
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		text, name, _ := strings.Cut(s.Text(), " ")
		if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e5 {
			p.took[name] = time.Duration(seconds * float64(time.Second))
		}
	}
}

// write replaces the file, with the times of the tests that passed in this run.
func (p *testTimes) write() error {
	file, err := historyFile()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.took)) {
		fmt.Fprintf(&text, "%.1f %s\n", p.took[name].Seconds(), name)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text.String()), 0o644)
}

// expect records that a test will run, and returns its expected time.
func (p *testTimes) expect(test string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[test] = true
	return p.expected(test)
}

// start records that a test runs.
func (p *testTimes) start(test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started[test] = time.Now()
}

func (p *testTimes) expected(test string) time.Duration {
	if d, ok := p.took[test]; ok {
		return d
	}
	if slices.ContainsFunc(longTests, func(prefix string) bool { return strings.HasPrefix(test, prefix) }) {
		return usualLong
	}
	return usual
}

// end records a test's end and prints the progress of the run.
func (p *testTimes) end(w io.Writer, test string, took time.Duration, passed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.started, test)
	p.done[test] = true
	if passed {
		p.took[test] = took
	}
	elapsed := time.Since(p.begin)
	fmt.Fprintf(w, "integration: %d of %d tests in %s, about %s to go\n", len(p.done), len(p.known), short(elapsed), short(p.left(elapsed)))
}

// left estimates the remaining time: the expected times of the remaining tests, at the speed so
// far. mu is held.
func (p *testTimes) left(elapsed time.Duration) time.Duration {
	var done, all time.Duration
	for name := range p.known {
		long := p.expected(name)
		all += long
		if begun, runs := p.started[name]; runs {
			done += min(long, time.Since(begun))
		} else if p.done[name] {
			done += long
		}
	}
	return time.Duration(float64(elapsed) * float64(all-done) / float64(max(done, 1)))
}

// short writes a time in minutes and seconds.
func short(d time.Duration) string { return d.Round(time.Second).String() }
