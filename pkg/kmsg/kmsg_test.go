package kmsg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files makes the kernel's files in a directory and returns their paths.
func files(t *testing.T, printk, consoles string) Paths {
	t.Helper()
	dir := t.TempDir()
	p := Paths{
		Kmsg:     filepath.Join(dir, "kmsg"),
		Devkmsg:  filepath.Join(dir, "printk_devkmsg"),
		Printk:   filepath.Join(dir, "printk"),
		Consoles: filepath.Join(dir, "consoles"),
	}
	for name, text := range map[string]string{p.Kmsg: "", p.Devkmsg: "ratelimit\n", p.Printk: printk, p.Consoles: consoles} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

const oneConsole = "ttyS0                -W- (EC p a)    4:64\n"

func TestLevels(t *testing.T) {
	tests := []struct {
		name, printk string
		debug        bool
		want         string
	}{
		{"default", "7\t4\t1\t7\n", false, "<3>iscsiroot: e\n<4>iscsiroot: w\n<6>iscsiroot: i\n<7>iscsiroot: d\n"},
		{"debug shows", "7\t4\t1\t7\n", true, "<3>iscsiroot: e\n<4>iscsiroot: w\n<6>iscsiroot: i\n<6>iscsiroot: d\n"},
		{"quiet keeps errors", "4\t4\t1\t7\n", false, "<3>iscsiroot: e\n<4>iscsiroot: w\n<6>iscsiroot: i\n<7>iscsiroot: d\n"},
		{"loglevel=2 shows errors", "2\t4\t1\t7\n", false, "<1>iscsiroot: e\n<4>iscsiroot: w\n<6>iscsiroot: i\n<7>iscsiroot: d\n"},
		{"garbage is 7", "x", false, "<3>iscsiroot: e\n<4>iscsiroot: w\n<6>iscsiroot: i\n<7>iscsiroot: d\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := files(t, tt.printk, oneConsole)
			l := Open(p)
			l.SetDebug(tt.debug)
			l.Errorf("e")
			l.Warnf("w")
			l.Infof("i")
			l.Debugf("d")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := read(t, p.Kmsg); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := read(t, p.Devkmsg); got != "on\n" {
				t.Errorf("printk_devkmsg is %q", got)
			}
		})
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 2*maxRecord+1)
	got := lines("a\n\x1b[2Jb\n" + long + "\n")
	want := []string{"a", "?[2Jb", long[:maxRecord], long[:maxRecord], "x"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}

// Without a console the logger looks for terminals; a plain file is none.
func TestNoConsole(t *testing.T) {
	p := files(t, "7", "")
	p.Terminals = []string{p.Printk, filepath.Join(t.TempDir(), "none")}
	l := Open(p)
	if n := len(l.Terminals()); n != 0 {
		t.Errorf("%d terminals", n)
	}
	p.Terminals = []string{"/dev/ptmx"}
	if n := len(Open(p).Terminals()); n != 1 {
		t.Errorf("%d terminals, want the pty", n)
	}
}

func TestNoKmsg(t *testing.T) {
	dir := t.TempDir()
	l := Open(Paths{Kmsg: dir + "/a/b", Devkmsg: dir + "/a/c", Printk: dir + "/d", Consoles: dir + "/e"})
	if len(l.direct) != 1 || l.direct[0].file != os.Stderr {
		t.Errorf("direct is %v, want standard error", l.direct)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	var none *Logger
	none.Errorf("dropped")
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
