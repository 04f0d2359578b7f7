package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestConsoleExpect(t *testing.T) {
	c := newConsole(io.Discard)
	ctx := testContext(t)
	go func() {
		for _, piece := range []string{"log", "in: \r\n", "eth", "0 up\r\nlogin: again\r\n"} {
			_, _ = io.WriteString(c, piece)
		}
	}()
	if got, err := c.Expect(ctx, "in: "); err != nil || got != "login: " {
		t.Errorf("%q %v", got, err)
	}
	if got, err := c.ExpectMatch(ctx, regexp.MustCompile(`(\w+) up(x)?\n`)); err != nil || len(got) != 3 || got[1] != "eth0" || got[2] != "" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := c.Expect(ctx, "again\n"); err != nil || got != "login: again\n" {
		t.Errorf("%q %v", got, err)
	}
	var texts []string
	for _, line := range c.Lines() {
		texts = append(texts, line.Text)
	}
	if got := strings.Join(texts, "|"); got != "login: |eth0 up|login: again" {
		t.Errorf("lines %q", got)
	}
}

func TestConsoleErrors(t *testing.T) {
	c := newConsole(io.Discard)
	for range 2 * tailLines {
		_, _ = io.WriteString(c, "Kernel panic\n")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Expect(ctx, "login:")
	var seen *ConsoleError
	if !errors.As(err, &seen) || !errors.Is(err, context.Canceled) || strings.Count(seen.Tail, "panic") != tailLines {
		t.Errorf("%v", err)
	}
	c.finish(errConsoleClosed)
	if _, err := c.Expect(t.Context(), "login:"); !errors.Is(err, errConsoleClosed) {
		t.Errorf("%v", err)
	}
	if _, err := c.Expect(t.Context(), "panic"); err != nil {
		t.Errorf("what came before the end: %v", err)
	}
}

func TestConsoleIsLimited(t *testing.T) {
	c := newConsole(io.Discard)
	_, _ = c.Write(bytes.Repeat([]byte("x"), consoleLimit))
	if n, err := c.Write([]byte("y\n")); n != 2 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if _, err := c.Expect(t.Context(), "y"); !errors.Is(err, errConsoleFull) {
		t.Errorf("%.200v", err)
	}
}
