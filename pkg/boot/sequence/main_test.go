package sequence

import (
	"fmt"
	"strings"
	"sync"
)

// recorder is a Logger whose lines can be looked at.
type recorder struct {
	mu   sync.Mutex
	text []string
}

func (r *recorder) add(level, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, level+" "+fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) { r.add("error", format, args...) }
func (r *recorder) Warnf(format string, args ...any)  { r.add("warning", format, args...) }
func (r *recorder) Infof(format string, args ...any)  { r.add("info", format, args...) }
func (r *recorder) Debugf(format string, args ...any) { r.add("debug", format, args...) }

// lines returns what was logged, without the debug lines.
func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, l := range r.text {
		if !strings.HasPrefix(l, "debug ") {
			out = append(out, l)
		}
	}
	return out
}
