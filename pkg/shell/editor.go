package shell

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// errInterrupted reports that a line was ended by Ctrl-C.
var errInterrupted = errors.New("interrupted")

// Keys, as the terminal sends them.
const (
	keyInterrupt = 0x03         // Ctrl-C
	keysGiveUp   = "\x05\x15\r" // Ctrl-E, Ctrl-U, Enter: an empty line
	maxHistory   = 100          // lines
	promptMore   = "> "         // for a command that is not complete
)

// editor reads lines with x/term's Terminal.
type editor struct {
	term *term.Terminal
	keys *keyboard
	tty  *terminal
}

// newEditor makes the editor. complete is called with a line and the position of the cursor when
// Tab is pressed; it returns both, changed or not, and words to show.
func newEditor(t *terminal, out io.Writer, h *history, complete func(line string, pos int) (string, int, []string)) *editor {
	keys := &keyboard{r: t.file}
	e := &editor{term: term.NewTerminal(readWriter{keys, out}, ""), keys: keys, tty: t}
	e.term.History = h
	e.term.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		line, pos, several := complete(line, pos)
		if len(several) > 0 {
			columns, _ := t.size()
			_, _ = e.term.Write([]byte(verb.Columns(several, columns)))
		}
		return line, pos, true
	}
	return e
}

// readLine reads one line: io.EOF for Ctrl-D, errInterrupted for Ctrl-C.
func (e *editor) readLine(prompt string) (string, error) {
	if err := e.tty.raw(); err != nil {
		return "", err
	}
	defer func() { _ = e.tty.cooked() }()
	e.keys.interrupted = false
	_ = e.term.SetSize(e.tty.size())
	e.term.SetPrompt(prompt)
	line, err := e.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	if e.keys.interrupted {
		return "", errInterrupted
	}
	return line, err
}

// keyboard gives Terminal one key at a time: what is typed ahead belongs to the command, which may
// read it. Ctrl-C becomes an empty line, where Terminal would report the end of input and keep the
// line.
type keyboard struct {
	r           io.Reader
	interrupted bool
}

func (k *keyboard) Read(p []byte) (int, error) {
	if len(p) < len(keysGiveUp) {
		return 0, io.ErrShortBuffer
	}
	n, err := k.r.Read(p[:1])
	if n == 1 && p[0] == keyInterrupt {
		k.interrupted = true
		return copy(p, keysGiveUp), err
	}
	return n, err
}

// history implements term.History.
type history struct {
	lines []string // oldest first
	added func(line string)
}

// Add adds a line, unless it is empty, begins with a blank, as for a secret, or repeats the last
// one.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || line[0] == ' ' || len(h.lines) > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	if h.added != nil {
		h.added(line)
	}
}

// Len returns how many lines there are.
func (h *history) Len() int { return len(h.lines) }

// At returns a line; 0 is the last one.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
