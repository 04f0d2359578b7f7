package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// progress is a bar on a terminal; on anything else it is nothing.
type progress struct {
	w     io.Writer // nil: no terminal
	shown int64     // percent
}

// newProgress returns a bar for w if that is a terminal.
func newProgress(w io.Writer) *progress {
	p := &progress{shown: -1}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// barWidth is in columns.
const barWidth = 40

// show returns what draws the bar, nil if the output is no terminal. It draws when a percent was
// done.
func (p *progress) show() func(done, total int64) {
	if p.w == nil {
		return nil
	}
	return func(done, total int64) {
		percent := int64(100)
		if total > 0 {
			percent = 100 * done / total
		}
		if percent == p.shown {
			return
		}
		p.shown = percent
		full := int(percent) * barWidth / 100
		fmt.Fprintf(p.w, "\r[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), percent)
	}
}

// clear removes the bar.
func (p *progress) clear() {
	if p.w != nil && p.shown >= 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", barWidth+8))
	}
}
