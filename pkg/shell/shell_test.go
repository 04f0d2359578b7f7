package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// buffer is an output that several goroutines write and one waits for.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// expect waits for a text.
func (b *buffer) expect(t *testing.T, text string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(b.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %q in %q", text, b.String())
}

// script runs lines through a shell without a terminal.
func script(t *testing.T, lines string, verbs ...verb.Verb) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, lines); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = r.Close() }()
	out := &buffer{}
	s, err := newShell(config{in: r, out: out, terminal: newTerminal(r), verbs: append(verb.All(), verbs...)})
	if err != nil {
		t.Fatal(err)
	}
	if status := s.loop(); status != 0 {
		t.Errorf("status %d", status)
	}
	return out.String()
}

// Each script writes exactly the expected text: "..." stands for any text. D is a directory of the
// script's own.
func TestScripts(t *testing.T) {
	crash := verb.Verb{Name: "crash", Group: verb.Boot, Run: func(context.Context, *verb.Call) error { panic("a bug") }}
	leave := verb.Verb{Name: "leave", Group: verb.Boot, Run: func(context.Context, *verb.Call) error { return verb.ErrLeave }}
	for _, tt := range []struct{ in, want string }{
		{"echo one; echo two", "one\ntwo\n"},
		{"cd D\nls | sort -r\ncat file | sort > sorted; cat < sorted\nls", "file\na\nb\nfile\nsorted\n"},
		{"cd D; cat file | head -n 1", "b\n"},
		{"for i in 1 2\ndo echo $i\ndone", "1\n2\n"},
		{"f() { echo in $1; }; f x", "in x\n"},
		{"cat none || echo no", "cat: open /none: no such file or directory\nno\n"},
		{"frobnicate; echo $?", "frobnicate: no such command: try help\n127\n"},
		{"cat -q; echo $?", "cat: unknown option -q: try help cat\n2\n"},
		{"grep x D/file; echo $?", "1\n"},
		{"grep b D/file; echo $?", "b\n0\n"},
		{"echo 'open", "iscsiroot: 1:6: reached EOF without closing quote `'`\n"},
		{"echo )\necho on", "iscsiroot: 1:6: a command can only contain words and redirects; encountered `)`\non\n"},
		{"crash; echo $?", "crash: internal error: panic: a bug\ncrash: goroutine ...TestScripts...\n1\n"},
		{"crash > /dev/null 2>&1; echo $?", "1\n"},
		{"crash | cat; echo on", "crash: internal error: panic: a bug\ncrash: goroutine ...\non\n"},
		{"exit; echo never", ""},
		{"leave; echo never", ""},
		{"echo a; leave\necho never", "a\n"},
		{"sleep 0.01 & wait; echo on", "[1]\non\n[1] done       sleep 0.01 &\n"},
		{"crash > /dev/null 2>&1 & wait", "[1]\n[1] exit status 1 crash > /dev/null 2>&1 &\n"},
		{"sleep 100 &\njobs\nkill %1; wait\njobs", "[1]\n[1] running    sleep 100 &\n[1] ended      sleep 100 &\n"},
		{"kill %7", "kill: no job \"%7\"\n"},
		{"sleep 1 &\nfg", "[1]\nsleep 1 &\n"},
		{"fg", "fg: no job \"\"\n"},
		{"help frob", "help: no command frob: help alone lists them\n"},
		{"help ls", "ls [-adl1R] [PATH...]\n  list directories\n  -a names that begin with a dot too, ...\n"},
		{"help", "this boot:\n...\nfiles:\n  cat [FILE...]                    show files\n...\nThis is a POSIX shell: ...\n"},
		{"sh -c 'exit 7'; echo $?", "7\n"},
		{"sh -c 'kill -9 $$'; echo $?", "137\n"},
		{"X=1 sh -c 'echo $X'", "1\n"},
		{"D/file; echo $?", "D/file: permission denied\n126\n"},
		{"cd D; ./none; echo $?", "./none: no such file or directory\n127\n"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("b\na\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		got := script(t, strings.ReplaceAll("cd /\n"+tt.in+"\n", "D", dir), crash, leave)
		if want := strings.ReplaceAll(tt.want, "D/", dir+"/"); !matches(got, want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, want)
		}
	}
}

// matches reports whether a text matches, where "..." is any text.
func matches(text, want string) bool {
	parts := strings.Split(want, "...")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`^(?s:` + strings.Join(parts, ".*") + `)$`).MatchString(text)
}

// A panic in the interpreter itself ends a job, and is reported as its error.
func TestPanicInAJob(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var js jobs
	j := js.add("true &", cancel)
	j.run(ctx, nil, nil)
	if want := "[1] internal error: panic: "; j.running() || !strings.HasPrefix(j.String(), want) {
		t.Errorf("job %q, want %q at its beginning", j, want)
	}
}

// pty is a terminal whose other end is typed at.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	raw, err := master.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			n, nerr := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			name = "/dev/pts/" + itoa(n)
			err = errors.Join(nerr, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	slave = os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { _, _ = master.Close(), slave.Close() })
	return master, slave
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// session is a shell on a terminal.
type session struct {
	t     *testing.T
	keys  *os.File
	out   *buffer
	shell *shell
	typed []string
	ended chan int
}

func onTerminal(t *testing.T, past ...string) *session {
	t.Helper()
	master, slave := pty(t)
	out := &buffer{}
	s := &session{t: t, keys: master, out: out, ended: make(chan int, 1)}
	go func() { _, _ = io.Copy(out, master) }()
	term := &terminal{file: slave, is: true}
	if err := term.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			term.sane = *m
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sh, err := newShell(config{in: slave, out: slave, terminal: term, verbs: verb.All(), history: past, remember: func(l string) { s.typed = append(s.typed, l) }})
	if err != nil {
		t.Fatal(err)
	}
	sh.runner.Dir = "/"
	s.shell = sh
	go func() { s.ended <- sh.loop() }()
	out.expect(t, "> ")
	return s
}

// types sends keys and waits for a text.
func (s *session) types(keys, want string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	s.out.expect(s.t, want)
}

func (s *session) end() {
	s.t.Helper()
	s.types("\x04", "")
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.t.Fatalf("the shell did not end: %q", s.out.String())
	}
}

func TestEditing(t *testing.T) {
	s := onTerminal(t, "echo from-before-$((1+1))")
	s.types("\x1b[A\r", "from-before-2")
	s.types("cho edited-$((40+2))\x01e\r", "edited-42")
	s.types("echo wrong\x15echo right-$((1+2))\r", "right-3")
	s.types("echo given up\x03echo next-$((1+3))\r", "next-4")
	s.types("unam\t-s\r", "Linux\r\n")
	s.types("ls /proc/self/stat\t\t", "/proc/self/statm")
	s.types("\x03echo ü$((5+5))\r", "ü10")
	s.types("if true\rthen echo more-$((5+6))\rfi\r", "more-11")
	s.types("echo o\x1b[D\x1b[D\x1b[C\x7fO\r", "O")
	s.end()
	if len(s.typed) == 0 || s.typed[0] != "echo from-before-$((1+1))" {
		// A line that repeats the last one is not added.
		if s.typed[0] != "echo edited-$((40+2))" {
			t.Errorf("typed %q", s.typed)
		}
	}
	if strings.Contains(s.out.String(), "wrong\r\nwrong") || strings.Contains(s.out.String(), "\r\ngiven up") {
		t.Errorf("a line that was given up was run: %q", s.out.String())
	}
}

// A command without end is interrupted by Ctrl-C, and the shell goes on.
func TestInterrupt(t *testing.T) {
	for _, endless := range []string{"sleep 1000", "while true; do :; done", "cat", "cat /dev/zero > /dev/null", "more", "read x", "sh -c 'sleep 1000'", "sleep 1000 | cat"} {
		t.Run(endless, func(t *testing.T) {
			t.Parallel() // they wait
			s := onTerminal(t)
			s.types(endless+"\r", "\r\n")
			time.Sleep(200 * time.Millisecond)
			s.shell.interrupt()
			s.types("", "\r\n\r\niscsiroot> ")
			s.types("echo on-$((1+1))\r", "on-2")
			s.end()
		})
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	master, slave := pty(t)
	out := &buffer{}
	go func() { _, _ = io.Copy(out, master) }()
	term := &terminal{file: slave, is: true}
	_ = term.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		term.sane = *m
		return err
	})
	ours, shells, err := control.Pair()
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	go control.Serve(ours, func(r control.Request) control.Answer {
		if r[0] == control.Password {
			if tries++; r[1] == "gh" {
				return control.Answer{Kind: control.OK, Text: "welcome\n"}
			}
		}
		return control.Answer{Kind: control.Locked, Text: "locked\n"}
	})
	go func() {
		for _, keys := range []string{"wrong\r", "\x03", "gh\r"} {
			time.Sleep(100 * time.Millisecond)
			_, _ = master.WriteString(keys)
		}
	}()
	fd, err := unix.Dup(int(shells.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	_ = shells.Close()
	greeting, err := unlock(control.NewClient(fd), term, slave)
	if err != nil || greeting != "welcome\n" || tries != 3 {
		t.Errorf("greeting %q after %d tries, %v", greeting, tries, err)
	}
	if strings.Contains(out.String(), "wrong") || strings.Contains(out.String(), "gh") {
		t.Errorf("shown: %q", out.String())
	}
	_ = ours.Close()
}

func TestHistory(t *testing.T) {
	h := &history{}
	for _, line := range []string{"a", "a", "", " secret", "b"} {
		h.Add(line)
	}
	if h.Len() != 2 || h.At(0) != "b" || h.At(1) != "a" {
		t.Errorf("history is %q", h.lines)
	}
	for range 3 * maxHistory {
		h.Add("x")
		h.Add("y")
	}
	if h.Len() != maxHistory {
		t.Errorf("%d lines", h.Len())
	}
}
