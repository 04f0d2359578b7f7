package control

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a message, in bytes and words, for its writer and its reader.
const (
	MaxRequest = 8 << 10  // four times the longest command line of the kernel
	MaxWords   = 64       // twice the number of parameters of the kernel (init/main.c: MAX_INIT_ARGS)
	MaxAnswer  = 64 << 10 // within a socket's send buffer (socket(7), wmem_default)
	MaxLine    = 1 << 10  // of a line that was typed; quoted, each byte may need four
)

// ErrMalformed reports that bytes are not a message.
var ErrMalformed = errors.New("malformed message")

// Request is a verb and its arguments.
type Request []string

// String writes the request as ParseRequest reads it.
func (r Request) String() string {
	words := make([]string, len(r))
	for i, w := range r {
		words[i] = strconv.Quote(w)
	}
	return strings.Join(words, " ")
}

// check returns why ParseRequest would not read a request.
func (r Request) check() error {
	if len(r) == 0 || len(r) > MaxWords || len(r.String()) > MaxRequest {
		return fmt.Errorf("want 1 to %d words of at most %d bytes together, in quotes", MaxWords, MaxRequest)
	}
	return nil
}

// ParseRequest reads a request: 1 to MaxWords words in Go's quotes with one blank between them. Its
// error wraps ErrMalformed.
func ParseRequest(b []byte) (Request, error) {
	if len(b) > MaxRequest {
		return nil, fmt.Errorf("request of more than %d bytes: %w", MaxRequest, ErrMalformed)
	}
	var out Request
	rest := string(b)
	for {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || quoted[0] != '"' {
			return nil, fmt.Errorf("request word %d: %w", len(out)+1, ErrMalformed)
		}
		word, err := strconv.Unquote(quoted)
		if err != nil || len(out) == MaxWords {
			return nil, fmt.Errorf("request word %d: %w", len(out)+1, ErrMalformed)
		}
		out = append(out, word)
		if rest = rest[len(quoted):]; rest == "" {
			return out, nil
		}
		if rest[0] != ' ' {
			return nil, fmt.Errorf("request word %d: %w", len(out)+1, ErrMalformed)
		}
		rest = rest[1:]
	}
}

// Kind is the kind of an answer.
type Kind string

// The kinds of an answer, as they stand on the wire.
const (
	OK     Kind = "ok"     // text to show
	Failed Kind = "error"  // text is the error
	Leave  Kind = "leave"  // the shell ends: PID 1 goes on
	Locked Kind = "locked" // a password is required first
)

// Answer is the answer of PID 1 to a request.
type Answer struct {
	Kind Kind
	Text string
}

// String writes the answer as ParseAnswer reads it, with a text that is too long cut off.
func (a Answer) String() string {
	s := string(a.Kind) + "\n" + a.Text
	return s[:min(len(s), MaxAnswer)]
}

// ParseAnswer reads an answer. Its error wraps ErrMalformed.
func ParseAnswer(b []byte) (Answer, error) {
	word, text, ok := strings.Cut(string(b), "\n")
	if !ok || len(b) > MaxAnswer {
		return Answer{}, fmt.Errorf("answer: %w", ErrMalformed)
	}
	switch kind := Kind(word); kind {
	case OK, Failed, Leave, Locked:
		return Answer{kind, text}, nil
	}
	return Answer{}, fmt.Errorf("answer of kind %.20q: %w", word, ErrMalformed)
}

// Typed are lines that were typed, oldest first, as a request and an answer hold them.
type Typed []string

// Add returns the lines with one more, which is cut to MaxLine.
func (t Typed) Add(line string) Typed {
	return append(t, strings.ReplaceAll(line[:min(len(line), MaxLine)], "\n", " "))
}

// String writes the lines as they stand in an answer: the newest of them that fit.
func (t Typed) String() string {
	s := strings.Join(t, "\n")
	for limit := MaxAnswer - len(OK) - 1; len(s) > limit; {
		_, s, _ = strings.Cut(s, "\n")
	}
	return s
}

// The requests of every shell; the verbs of package boot/debug have more.
const (
	Hello    = "hello"    // for the greeting, or Locked
	Password = "password" // with the password; then as Hello
	Remember = "remember" // a line that was typed
	History  = "history"  // for the lines that were, oldest first
)
