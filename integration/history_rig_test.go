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

// past is what tests took the last time they passed, from a file in the cache, and how far this run is.
type past struct {
	mu      sync.Mutex
	took    map[string]time.Duration
	begin   time.Time
	known   map[string]bool      // tests of this run
	started map[string]time.Time // those that run
	done    map[string]bool
}

// history is what earlier runs took.
var history = &past{
	took: map[string]time.Duration{}, begin: time.Now(), known: map[string]bool{}, started: map[string]time.Time{}, done: map[string]bool{},
}

// usual is what a test is taken to last that has never run here; those that boot a whole Debian, or build packages, last longer.
const (
	usual     = 15 * time.Second
	usualLong = 90 * time.Second
)

var longOnes = []string{"TestDebian", "TestNetworkFaults", "TestTargetFaults", "TestPackages", "TestRoom", "TestLIO", "TestStorm", "TestRoots", "TestBootFaultMatrix"}

func historyFile() (string, error) {
	dir, err := deps.CacheDir()
	return filepath.Join(dir, "times", "integration"), err
}

// read reads the file; without one there is no history.
func (p *past) read() {
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

// write writes it anew, with what passed in this run.
func (p *past) write() error {
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

// expect notes that a test will run, and returns what it is expected to take.
func (p *past) expect(test string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[test] = true
	return p.expected(test)
}

// start notes that a test runs.
func (p *past) start(test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started[test] = time.Now()
}

func (p *past) expected(test string) time.Duration {
	if d, ok := p.took[test]; ok {
		return d
	}
	if slices.ContainsFunc(longOnes, func(prefix string) bool { return strings.HasPrefix(test, prefix) }) {
		return usualLong
	}
	return usual
}

// end notes a test's end and tells how far the run is.
func (p *past) end(w io.Writer, test string, took time.Duration, passed bool) {
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

// left is the time to go: what the tests to come are expected to take, at the speed so far. mu is held.
func (p *past) left(elapsed time.Duration) time.Duration {
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
