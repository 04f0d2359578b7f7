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

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// past is what tests took the last time they passed, from a file in the cache, and how far this run is.
type past struct {
	mu    sync.Mutex
	took  map[string]time.Duration
	begin time.Time
	begun map[string]bool
	done  map[string]bool
}

// history is what earlier runs took.
var history = &past{took: map[string]time.Duration{}, begun: map[string]bool{}, done: map[string]bool{}, begin: time.Now()}

// usual is what a test is taken to last that has never run here; those that boot a whole Debian, or build packages, last longer.
const (
	usual     = 15 * time.Second
	usualLong = 90 * time.Second
)

var longOnes = []string{"TestDebian", "TestNetworkFaults", "TestTargetFaults", "TestShutdownLogsOut", "TestPackages", "TestRoom", "TestLIO", "TestStorm", "TestRoots", "TestBootFaultMatrix"}

func historyFile() (string, error) {
	dir, err := lab.CacheDir()
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
	p.begun[test] = true
	return p.expected(test)
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

// end notes a test's end and tells how far the run is. The time to go is that of the expected times of the tests to come, at the
// speed so far.
func (p *past) end(w io.Writer, test string, took time.Duration, passed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[test] = true
	var done, all time.Duration
	for name := range p.begun {
		d := p.expected(name)
		all += d
		if p.done[name] {
			done += d
		}
	}
	if passed {
		p.took[test] = took
	}
	elapsed := time.Since(p.begin)
	left := time.Duration(float64(elapsed) * float64(all-done) / float64(max(done, 1)))
	fmt.Fprintf(w, "integration: %d of %d tests in %s, about %s to go\n", len(p.done), len(p.begun), short(elapsed), short(left))
}

// short writes a time in minutes and seconds.
func short(d time.Duration) string { return d.Round(time.Second).String() }
