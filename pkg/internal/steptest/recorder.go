// Package steptest is for tests of what steps do and log: a logger that keeps its lines, and a
// trace of events with their times.
package steptest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Recorder is a sequence.Logger that keeps its lines. It is safe for concurrent use, and its zero
// value is ready.
type Recorder struct {
	mu   sync.Mutex // guards text
	text []string
}

func (r *Recorder) add(level, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, level+" "+fmt.Sprintf(format, args...))
}

// Errorf implements sequence.Logger.
func (r *Recorder) Errorf(format string, args ...any) { r.add("error", format, args...) }

// Warnf implements sequence.Logger.
func (r *Recorder) Warnf(format string, args ...any) { r.add("warning", format, args...) }

// Infof implements sequence.Logger.
func (r *Recorder) Infof(format string, args ...any) { r.add("info", format, args...) }

// Debugf implements sequence.Logger.
func (r *Recorder) Debugf(format string, args ...any) { r.add("debug", format, args...) }

// All returns what was logged, each line behind its level.
func (r *Recorder) All() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.text)
}

// Lines is All without the debug lines.
func (r *Recorder) Lines() []string {
	return slices.DeleteFunc(r.All(), func(l string) bool { return strings.HasPrefix(l, "debug ") })
}
