package shell

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const greeting = "iscsiroot: this image holds no shell; help lists what this prompt can do\niscsiroot> "

// files makes a directory with a file, a directory and a link to nowhere.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "a1"), []byte("one\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "a2"), []byte("two\n"), 0o644),
		os.MkdirAll(filepath.Join(dir, "b", "inside"), 0o755),
		os.Symlink("nowhere", filepath.Join(dir, "c")),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMainLines(t *testing.T) {
	dir := files(t)
	for _, tt := range []struct {
		in, out string // D/ is the directory, and out is what comes after the first prompt
		status  int
	}{
		{"", "", 0},
		{"exit\nreboot\n", "", 0},
		{"  reboot now\n", "", ExitReboot},
		{"poweroff\n", "", ExitPowerOff},
		{"poweroff", "", ExitPowerOff}, // the terminal is gone before the line's end
		{"\n \t\n", "iscsiroot> iscsiroot> ", 0},
		{"rm -rf /\n", "iscsiroot: rm: no such command: try help\niscsiroot> ", 0},
		{"cat D/a1\n", "one\niscsiroot> ", 0},
		{"cat D/a2 D/a1\n", "two\none\niscsiroot> ", 0},
		{"cat D/a*\nexit\n", "one\ntwo\niscsiroot> ", 0},
		{"cat D/z*\n", "iscsiroot: cat: open D/z*: no such file or directory\niscsiroot> ", 0},
		{"cat D/[\n", "iscsiroot: cat: open D/[: no such file or directory\niscsiroot> ", 0},
		{"cat D/b\n", "iscsiroot: cat: read D/b: is a directory\niscsiroot> ", 0},
		{"ls D/\n", "- a1\n- a2\nd b\nL c\niscsiroot> ", 0},
		{"ls D/*\n", "- D/a1\n- D/a2\nd inside\nL D/c\niscsiroot> ", 0},
		{"ls D/none\n", "iscsiroot: ls: lstat D/none: no such file or directory\niscsiroot> ", 0},
		{"ls /dev/null\n", "D /dev/null\niscsiroot> ", 0},
	} {
		var out strings.Builder
		status := Main(strings.NewReader(strings.ReplaceAll(tt.in, "D/", dir+"/")), &out)
		want := greeting + strings.ReplaceAll(tt.out, "D/", dir+"/")
		if status != tt.status || out.String() != want {
			t.Errorf("%q: status %d\ngot  %q\nwant %q", tt.in, status, out.String(), want)
		}
	}
}

// ls without a path lists the root, and help names every command.
func TestHelpAndRoot(t *testing.T) {
	var out strings.Builder
	if status := Main(strings.NewReader("ls\nhelp\n"), &out); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"d proc\n", "cat FILE...", "\nls [PATH...]", "\nexit ", "\nreboot ", "\npoweroff "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}

// At a terminal each answer and the next prompt are there before the next line
// is typed.
func TestMainInteractive(t *testing.T) {
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int)
	go func() { status <- Main(inR, outW) }()
	out := bufio.NewReader(outR)
	for _, step := range []struct{ expect, send string }{
		{greeting, "cat /proc/self/comm\n"},
		{"", "nothing\n"},
		{"iscsiroot: nothing: no such command: try help\niscsiroot> ", "reboot\n"},
	} {
		if step.expect == "" { // the name of this process, and a prompt
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			step.expect = "iscsiroot> "
		}
		got := make([]byte, len(step.expect))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != step.expect {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := inW.WriteString(step.send); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-status; got != ExitReboot {
		t.Errorf("status %d", got)
	}
	for _, f := range []*os.File{inR, inW, outR, outW} {
		_ = f.Close()
	}
}

// A terminal that is gone ends the prompt.
func TestMainHangup(t *testing.T) {
	r, w := io.Pipe()
	_ = w.CloseWithError(io.ErrUnexpectedEOF)
	var broken brokenWriter
	if status := Main(r, broken); status != 0 {
		t.Errorf("status %d", status)
	}
	if status := Main(strings.NewReader("ls /\nhelp\ncat /proc/self/comm\nreboot\n"), broken); status != ExitReboot {
		t.Errorf("status %d", status)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestCommand(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		mode       os.FileMode
		argv       []string
	}{
		{"", "/bin/zsh", 0, []string{"/bin/zsh", "/bin/zsh"}},
		{"bin/sh", "", 0o755, []string{"/bin/sh", "sh"}},
		{"usr/bin/sh", "", 0o755, []string{"/usr/bin/sh", "sh"}},
		{"bin/busybox", "", 0o755, []string{"/bin/busybox", "sh"}},
		{"bin/sh", "", 0o644, []string{"/proc/self/exe", Name}},
		{"bin/sh/x", "", 0o755, []string{"/proc/self/exe", Name}},
		{"", "", 0, []string{"/proc/self/exe", Name}},
	} {
		root := t.TempDir()
		if tt.name != "" {
			path := filepath.Join(root, tt.name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, tt.mode)); err != nil {
				t.Fatal(err)
			}
		}
		if got := command(root, tt.want); !slices.Equal(got, tt.argv) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	if got := Command("/bin/zsh"); !slices.Equal(got, []string{"/bin/zsh", "/bin/zsh"}) {
		t.Errorf("got %q", got)
	}
}
