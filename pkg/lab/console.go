package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// consoleLimit bounds what a guest that prints without end may take of the host's memory, in bytes.
const consoleLimit = 32 << 20

var (
	errConsoleClosed = errors.New("the machine has ended")
	errConsoleFull   = fmt.Errorf("the guest printed more than %d bytes", consoleLimit)
)

// Line is one line of a console.
type Line struct {
	// At is when the line's first byte came, counted from the machine's start.
	At time.Duration
	// Text is the line without its end.
	Text string
}

// Console collects all that a machine's serial console prints, without carriage returns, and
// without control sequences where firmware boots.
type Console struct {
	in      io.Writer
	start   time.Time
	escapes *escapes // nil: they are kept

	mu      sync.Mutex // guards the rest, and what is written to escapes
	text    []byte
	stamps  []stamp
	seen    int           // Expect continues here
	changed chan struct{} // closed and replaced by every write
	end     error
	watch   stopwatch
}

// stamp is the time at which the line that begins at offset began.
type stamp struct {
	offset int
	at     time.Duration
}

// ConsoleError is the error of a wait for a text that did not appear on a console.
type ConsoleError struct {
	// Want is the text or the regular expression.
	Want string
	// Tail is the end of the console's text, up to 40 lines.
	Tail string
	// Err is the context's error, or that the machine ended.
	Err error
}

func (e *ConsoleError) Error() string {
	return fmt.Sprintf("expect %q on the console: %v; last lines:\n%s", e.Want, e.Err, e.Tail)
}

// Unwrap returns e.Err.
func (e *ConsoleError) Unwrap() error { return e.Err }

func newConsole(in io.Writer) *Console {
	return &Console{in: in, start: time.Now(), changed: make(chan struct{})}
}

// Write appends output of the console. It never fails: an error would stop the machine's output in
// the middle of a word.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, n := time.Since(c.start), len(p)
	if c.escapes != nil {
		p = c.escapes.strip(p)
	}
	for part := range bytes.SplitAfterSeq(bytes.ReplaceAll(p, []byte("\r"), nil), []byte("\n")) {
		if len(part) == 0 {
			continue
		}
		if len(c.text)+len(part) > consoleLimit {
			c.finishLocked(errConsoleFull)
			break
		}
		if n := len(c.text); n == 0 || c.text[n-1] == '\n' {
			c.stamps = append(c.stamps, stamp{n, at})
		}
		c.text = append(c.text, part...)
	}
	c.watch.see(c.text, at)
	c.wakeLocked()
	return n, nil
}

func (c *Console) wakeLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Console) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishLocked(err)
	c.wakeLocked()
}

func (c *Console) finishLocked(err error) {
	if c.end == nil {
		c.end = err
	}
}

// Output is all that was printed so far.
func (c *Console) Output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// Lines is all that was printed so far, line by line, with times. The last line may be incomplete.
func (c *Console) Lines() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make([]Line, len(c.stamps))
	for i, s := range c.stamps {
		end := len(c.text)
		if i+1 < len(c.stamps) {
			end = c.stamps[i+1].offset
		}
		lines[i] = Line{At: s.at, Text: strings.TrimSuffix(string(c.text[s.offset:end]), "\n")}
	}
	return lines
}

// Send types text on the console; a line ends with "\n".
func (c *Console) Send(text string) error {
	if _, err := io.WriteString(c.in, text); err != nil {
		return fmt.Errorf("send to the console: %w", err)
	}
	return nil
}

// Expect waits for text after the text that the last successful Expect or ExpectMatch returned, and
// returns what was printed from there through text. Its error is a *[ConsoleError].
func (c *Console) Expect(ctx context.Context, text string) (string, error) {
	found, _, err := c.expect(ctx, text, func(b []byte) []int {
		if i := bytes.Index(b, []byte(text)); i >= 0 {
			return []int{i, i + len(text)}
		}
		return nil
	})
	return found, err
}

// ExpectMatch is [Console.Expect] for a regular expression; it returns the match and its groups.
// Text comes in pieces: an expression that can match less of a line than is meant ends with "\n".
func (c *Console) ExpectMatch(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	_, groups, err := c.expect(ctx, re.String(), re.FindSubmatchIndex)
	return groups, err
}

func (c *Console) expect(ctx context.Context, want string, find func([]byte) []int) (string, []string, error) {
	for {
		c.mu.Lock()
		rest := c.text[c.seen:]
		if at := find(rest); at != nil {
			c.seen += at[1]
			c.mu.Unlock()
			return string(rest[:at[1]]), groups(rest, at), nil // what is written once is never changed
		}
		changed, err := c.changed, c.end
		c.mu.Unlock()
		if err == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return "", nil, &ConsoleError{Want: want, Tail: lastLines(c.Output(), tailLines), Err: err}
	}
}

// groups cuts b by pairs of indices as regexp gives them; -1 is a group that took no part.
func groups(b []byte, at []int) []string {
	out := make([]string, len(at)/2)
	for i := range out {
		if at[2*i] >= 0 {
			out[i] = string(b[at[2*i]:at[2*i+1]])
		}
	}
	return out
}
