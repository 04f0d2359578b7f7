package integration

import (
	"fmt"
	"strings"
	"testing"
)

// failureLog is a testing.T that keeps the messages of failures. A console can be longer than a log
// that is kept, so they are logged again after it.
type failureLog struct {
	*testing.T
	texts []string // newest last
}

// maxTexts limits the number of messages that are kept.
const maxTexts = 8

func (t *failureLog) note(text string) {
	text = strings.TrimSpace(text)
	switch n := len(t.texts); {
	case n > 0 && t.texts[n-1] == text:
	case n == maxTexts: // the last one ended the test
		t.texts[n-1] = text
	default:
		t.texts = append(t.texts, text)
	}
}

// repeat logs the messages again.
func (t *failureLog) repeat() {
	t.Helper()
	for _, s := range t.texts {
		t.Logf("failure: %s", s)
	}
}

func (t *failureLog) Error(args ...any) {
	t.Helper()
	t.note(fmt.Sprintln(args...))
	t.T.Error(args...)
}

func (t *failureLog) Errorf(format string, args ...any) {
	t.Helper()
	t.note(fmt.Sprintf(format, args...))
	t.T.Errorf(format, args...)
}

func (t *failureLog) Fatal(args ...any) {
	t.Helper()
	t.note(fmt.Sprintln(args...))
	t.T.Fatal(args...)
}

func (t *failureLog) Fatalf(format string, args ...any) {
	t.Helper()
	t.note(fmt.Sprintf(format, args...))
	t.T.Fatalf(format, args...)
}
