package control

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Request
	}{
		{`"steps"`, Request{"steps"}},
		{`"retry" "root" "root=/dev/sda2"`, Request{"retry", "root", "root=/dev/sda2"}},
		{`"remember" "echo \"a\\\nb\" \x01"`, Request{"remember", "echo \"a\\\nb\" \x01"}},
		{`""`, Request{""}},
		{`"a" ""`, Request{"a", ""}},
		{"", nil},
		{" ", nil},
		{"steps", nil},
		{`"steps" `, nil},
		{` "steps"`, nil},
		{`"a"  "b"`, nil},
		{`"a""b"`, nil},
		{`"a`, nil},
		{"`a`", nil},
		{`'a'`, nil},
		{`"a` + "\n" + `b"`, nil},
		{strings.Repeat(`"a" `, MaxWords-1) + `"a"`, Request(slices.Repeat([]string{"a"}, MaxWords))},
		{strings.Repeat(`"a" `, MaxWords) + `"a"`, nil},
		{`"` + strings.Repeat("a", MaxRequest-2) + `"`, Request{strings.Repeat("a", MaxRequest-2)}},
		{`"` + strings.Repeat("a", MaxRequest-1) + `"`, nil},
	} {
		got, err := ParseRequest([]byte(tt.in))
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want == nil) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60q: got %.60q, %v", tt.in, got, err)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Answer
	}{
		{"ok\n", Answer{OK, ""}},
		{"ok\na\nb\n", Answer{OK, "a\nb\n"}},
		{"error\nno such step", Answer{Failed, "no such step"}},
		{"leave\n", Answer{Leave, ""}},
		{"locked\n", Answer{Locked, ""}},
		{"", Answer{}},
		{"ok", Answer{}},
		{"okay\n", Answer{}},
		{"ok\n" + strings.Repeat("a", MaxAnswer), Answer{}},
	} {
		got, err := ParseAnswer([]byte(tt.in))
		if got != tt.want || (err != nil) != (tt.want == Answer{}) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60q: got %+v, %v", tt.in, got, err)
		}
	}
}

// A valid request is parsed unchanged, and an invalid one is not sent. A request that was parsed is
// written so that it is parsed the same.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`"retry" "root" "root=/dev/sda2"`), 0)
	f.Add([]byte(`"remember" "echo \"a\\\n\xff\u00e4"`), MaxWords)
	f.Add([]byte(`"a" 'b' "`), 1)
	f.Add([]byte(strings.Repeat("\x00", MaxRequest/4)), 1)
	f.Fuzz(func(t *testing.T, b []byte, many int) {
		r := Request(slices.Repeat([]string{string(b)}, max(0, many)%(MaxWords+2)))
		if got, err := ParseRequest([]byte(r.String())); (err == nil) != (r.check() == nil) || err == nil && !slices.Equal(got, r) {
			t.Errorf("%q became %q, %v, and not to be asked for: %v", r, got, err, r.check())
		}
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, err := ParseRequest([]byte(r.String()))
		// Quoting may make a message longer than one that was just short enough.
		if r.check() == nil && (err != nil || !slices.Equal(r, again)) {
			t.Errorf("%q became %q, %v", r, again, err)
		}
	})
}

// An answer is parsed unchanged, up to the limit. An answer that was parsed is written unchanged.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("ok\nstep modules done\n"), 0)
	f.Add([]byte("error\nno such step"), MaxAnswer)
	f.Add([]byte("locked\n"), 1)
	f.Fuzz(func(t *testing.T, b []byte, many int) {
		text := strings.Repeat(string(b), max(0, many)%(1+2*MaxAnswer/max(1, len(b))))
		for _, kind := range []Kind{OK, Failed, Leave, Locked} {
			want := Answer{kind, text[:min(len(text), MaxAnswer-len(kind)-1)]}
			if a, err := ParseAnswer([]byte(Answer{kind, text}.String())); err != nil || a != want {
				t.Errorf("%.40q became %.40q, %v", want, a, err)
			}
		}
		if a, err := ParseAnswer(b); err == nil && a.String() != string(b) {
			t.Errorf("%q became %q", b, a.String())
		}
	})
}

// Every line that was typed can be sent to process 1.
func TestTypedLine(t *testing.T) {
	for _, line := range []string{"", "\n", strings.Repeat("\x00", 2*MaxRequest), strings.Repeat("\xff", MaxLine)} {
		if r := (Request{Remember, Typed{}.Add(line)[0]}); r.check() != nil {
			t.Errorf("%.20q: %v", line, r.check())
		}
	}
	if err := (Request{}).check(); err == nil {
		t.Error("no words at all are a request")
	}
}

// pair serves one end and returns the other as the shell has it.
func pair(t *testing.T, answer func(Request) Answer) (client *Client, raw *os.File, done chan struct{}) {
	t.Helper()
	ours, shells, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan struct{})
	go func() {
		Serve(ours, answer)
		close(done)
	}()
	t.Cleanup(func() {
		_ = shells.Close()
		<-done
		_ = ours.Close()
	})
	return &Client{conn: shells}, shells, done
}

func TestAsk(t *testing.T) {
	ours, shells, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		Serve(ours, func(r Request) Answer { return Answer{OK, strings.Join(r, ",") + "\n"} })
		close(done)
	}()
	client := &Client{conn: dup(t, shells)}
	_ = shells.Close()
	long := strings.Repeat("x", MaxRequest)
	for _, words := range [][]string{{"steps"}, {"a b", "\x00\xff", ""}} {
		if a, err := client.Ask(words...); err != nil || a.Kind != OK || a.Text != strings.Join(words, ",")+"\n" {
			t.Errorf("%q: answer %+v, %v", words, a, err)
		}
	}
	if _, err := client.Ask(long); err == nil {
		t.Error("a request that is too long was sent")
	}
	_ = client.conn.Close()
	<-done
	if _, err := (*Client)(nil).Ask("steps"); err == nil {
		t.Error("nobody answered")
	}
	if f, err := os.Open(os.DevNull); err != nil || NewClient(int(f.Fd())) != nil {
		t.Errorf("%v, or a file that is not a socket became a client", err)
	}
}

// Garbage is answered with an error and changes nothing; a text that is too long is cut; the end of
// the other side ends Serve.
func TestServeGarbage(t *testing.T) {
	var served atomic.Int32
	client, raw, done := pair(t, func(Request) Answer {
		served.Add(1)
		return Answer{OK, strings.Repeat("x", 2*MaxAnswer)}
	})
	for _, garbage := range [][]byte{{0}, []byte("steps"), bytes.Repeat([]byte{'"'}, MaxRequest+1), bytes.Repeat([]byte("\xff"), 3*MaxRequest)} {
		if _, err := raw.Write(garbage); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, MaxAnswer+1)
		n, err := raw.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := ParseAnswer(buf[:n]); err != nil || a.Kind != Failed {
			t.Errorf("%.20q: answer %+v, %v", garbage, a, err)
		}
	}
	if served.Load() != 0 {
		t.Errorf("%d requests were served", served.Load())
	}
	client.conn = dup(t, raw)
	if a, err := client.Ask("x"); err != nil || len(a.Text) != MaxAnswer-len("ok\n") {
		t.Errorf("answer of %d bytes, %v", len(a.Text), err)
	}
	_ = client.conn.Close()
	_ = raw.Close()
	<-done
}

// dup is the same socket as the shell opens it.
func dup(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(fd)
	if c == nil {
		t.Fatal("no client")
	}
	return c.conn
}
