package verb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxPaged is how much more keeps at most, in bytes.
const maxPaged = 16 << 20

// Terminal is the terminal on which a verb shows pages.
type Terminal interface {
	// Size returns the size of the screen.
	Size() (columns, rows int)
	// Key waits for a key, which is not shown.
	Key(context.Context) (byte, error)
}

func moreVerb(name string) Verb {
	return Verb{
		Name: name, Args: "[FILE...]", Help: "show text page by page", Group: Text,
		More: "space or f: on, b: back, Enter or j: a line on, k: a line back, g: to the beginning, G: to the end, q: quit",
		Run: func(ctx context.Context, c *Call) error {
			_, args, err := c.options("NSRFX")
			if err != nil {
				return err
			}
			if c.Terminal == nil {
				return c.inputs(ctx, args, func(_ string, r io.Reader) error {
					_, err := io.Copy(c.Out, r)
					return err
				})
			}
			columns, rows := c.Terminal.Size()
			p := pager{Call: c, columns: columns, rows: max(rows-1, 1)}
			size := 0
			err = c.inputs(ctx, args, func(_ string, r io.Reader) error {
				return eachLine(r, func(line string) (bool, error) {
					size += len(line)
					p.add(line)
					return size < maxPaged, nil
				})
			})
			return errors.Join(err, p.show(ctx))
		},
	}
}

// pager shows lines that are no longer than the screen is wide.
type pager struct {
	*Call
	columns, rows int
	lines         []string
	top           int // first line on the screen
}

// add adds a line, wrapped at the width of the screen.
func (p *pager) add(line string) {
	line = strings.ReplaceAll(line, "\t", "        ")
	for r := []rune(line); ; r = r[p.columns:] {
		if len(r) <= p.columns {
			p.lines = append(p.lines, string(r))
			return
		}
		p.lines = append(p.lines, string(r[:p.columns]))
	}
}

// show shows the first page and then scrolls by the keys.
func (p *pager) show(ctx context.Context) error {
	if err := p.page(0, min(p.rows, len(p.lines))); err != nil {
		return err
	}
	last := max(len(p.lines)-p.rows, 0)
	for p.top < last {
		seen := fmt.Sprintf("-- %d %% -- space: on, b: back, q: quit", 100*(p.top+p.rows)/len(p.lines))
		if err := p.Printf("\x1b[7m%s\x1b[0m", seen); err != nil {
			return err
		}
		key, err := p.Terminal.Key(ctx)
		if err := p.Printf("\r\x1b[K"); err != nil {
			return err
		}
		if err != nil || key == 'q' || key == 0x03 {
			return err
		}
		if err := p.scroll(key, last); err != nil {
			return err
		}
	}
	return nil
}

// scroll moves by a key: forward by printing the lines that follow, back by printing the page anew.
func (p *pager) scroll(key byte, last int) error {
	to := p.top
	switch key {
	case ' ', 'f':
		to = min(p.top+p.rows, last)
	case '\r', '\n', 'j':
		to = min(p.top+1, last)
	case 'b':
		to = max(p.top-p.rows, 0)
	case 'k':
		to = max(p.top-1, 0)
	case 'g':
		to = 0
	case 'G':
		to = last
	}
	from := p.top
	p.top = to
	if to >= from {
		return p.page(max(from+p.rows, to), to+p.rows)
	}
	return p.page(to, to+p.rows)
}

func (p *pager) page(from, to int) error {
	for _, line := range p.lines[from:min(to, len(p.lines))] {
		if err := p.Printf("%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
