package integration

import (
	"fmt"
	"strings"
	"testing"
)

// telling is a test that remembers what it failed for. A console can be longer
// than what is kept of a log, so that is told once more below it.
type telling struct {
	*testing.T
	said []string // newest last
}

// tellMost bounds what is remembered.
const tellMost = 8

func (t *telling) note(text string) {
	text = strings.TrimSpace(text)
	switch n := len(t.said); {
	case n > 0 && t.said[n-1] == text:
	case n == tellMost: // what ended the test is the last
		t.said[n-1] = text
	default:
		t.said = append(t.said, text)
	}
}

// again tells what the test failed for.
func (t *telling) again() {
	t.Helper()
	for _, s := range t.said {
		t.Logf("it failed for: %s", s)
	}
}

func (t *telling) Error(args ...any) {
	t.Helper()
	t.note(fmt.Sprintln(args...))
	t.T.Error(args...)
}

func (t *telling) Errorf(format string, args ...any) {
	t.Helper()
	t.note(fmt.Sprintf(format, args...))
	t.T.Errorf(format, args...)
}

func (t *telling) Fatal(args ...any) {
	t.Helper()
	t.note(fmt.Sprintln(args...))
	t.T.Fatal(args...)
}

func (t *telling) Fatalf(format string, args ...any) {
	t.Helper()
	t.note(fmt.Sprintf(format, args...))
	t.T.Fatalf(format, args...)
}
