package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// qmpSession is QEMU 7.2's output for qmp_capabilities, a set_link of a device that does not exist,
// system_reset, query-status, an unknown command and quit.
const qmpSession = "testdata/qmp/qemu-7.2.jsonl"

func qmpLines(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile(qmpSession)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) < 9 {
		t.Fatalf("%s has %d lines", qmpSession, len(lines))
	}
	return lines
}

func FuzzDecodeQMP(f *testing.F) {
	for _, line := range qmpLines(f) {
		f.Add(line)
	}
	f.Add([]byte(`{"event":"","return":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := decodeQMP(line)
		if err != nil {
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeQMP(text)
		if err != nil || again.Event != m.Event || again.Data != m.Data || (again.Error == nil) != (m.Error == nil) {
			t.Fatalf("%s came back as %+v %v", text, again, err)
		}
	})
}

func TestDecodeQMPRefuses(t *testing.T) {
	for _, line := range []string{"", "{}", "[]", `{"return":{},"event":"RESET"}`, `{"QMP":`, `{"event":7}`} {
		if m, err := decodeQMP([]byte(line)); err == nil {
			t.Errorf("%s: %+v", line, m)
		}
	}
	if _, err := decodeQMP(make([]byte, qmpLineLimit+1)); !errors.Is(err, errQMPLong) {
		t.Errorf("a long line: %v", err)
	}
}

// TestQMPSession plays QEMU with its captured lines: each command is answered by the lines through
// the next answer.
func TestQMPSession(t *testing.T) {
	lines := qmpLines(t)
	labEnd, qemuEnd := net.Pipe()
	go playQMP(qemuEnd, lines)
	q, ctx := newQMP(labEnd), testContext(t)
	if err := q.hello(ctx); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ command, class string }{
		{"set_link", "DeviceNotFound"}, {"system_reset", ""}, {"query-status", ""}, {"nosuch", "CommandNotFound"}, {"quit", ""},
	} {
		_, err := q.execute(ctx, step.command, nil)
		var refused *QMPError
		if got := errors.As(err, &refused); got != (step.class != "") || got && refused.Class != step.class || !got && err != nil {
			t.Errorf("%s: %v, want %q", step.command, err, step.class)
		}
	}
	if e, err := q.next(ctx, "RESET"); err != nil || e.Reason != "host-qmp-system-reset" {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := q.next(ctx, "RESET"); !errors.Is(err, io.EOF) {
		t.Errorf("a second reset: %+v %v", e, err)
	}
	if e, ok := q.last("SHUTDOWN"); !ok || e != (Event{Name: "SHUTDOWN", Reason: "host-qmp-quit"}) {
		t.Errorf("%+v %v", e, ok)
	}
	if _, err := q.execute(ctx, "query-status", nil); err == nil {
		t.Errorf("after the end: %v", err)
	}
}

func playQMP(conn net.Conn, lines [][]byte) {
	defer conn.Close()
	commands := bufio.NewScanner(conn)
	for i, line := range lines {
		if _, err := conn.Write(append(line, '\n')); err != nil {
			return
		}
		if last := i == len(lines)-1; !last && !bytes.Contains(line, []byte(`"event"`)) && !commands.Scan() {
			return
		}
	}
}

func TestQMPGivesUp(t *testing.T) {
	labEnd, qemuEnd := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	q := newQMP(labEnd)
	cancel()
	if err := q.hello(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("no greeting: %v", err)
	}
	go func() { _, _ = io.WriteString(qemuEnd, strings.Repeat("x", 2*qmpLineLimit)) }()
	<-q.done
	if err := q.hello(t.Context()); !errors.Is(err, bufio.ErrTooLong) {
		t.Errorf("a line without end: %v", err)
	}
}
