// Package steptest is for tests of what steps do and log: a logger whose lines can be looked at,
// and a trace of what happens when.
package steptest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Recorder is a sequence.Logger whose lines can be looked at. It is safe for concurrent use, and
// its zero value is ready.
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
