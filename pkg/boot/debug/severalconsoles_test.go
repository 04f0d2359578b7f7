package debug

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// console is a pseudo terminal (pty(7)) in place of a machine's console: what is typed at the
// master arrives at /dev/NAME.
type console struct {
	master *os.File
	name   string
}

func newConsole(t *testing.T) console {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, nerr := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(nerr, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	c := console{os.NewFile(uintptr(fd), "ptmx"), fmt.Sprintf("pts/%d", n)}
	t.Cleanup(func() { _ = c.master.Close() })
	return c
}

// shows waits until a console shows a text.
func (c console) shows(t *testing.T, want string) {
	t.Helper()
	if err := c.master.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for b := make([]byte, 256); !strings.Contains(seen.String(), want); {
		n, err := c.master.Read(b)
		if err != nil {
			t.Fatalf("%s shows %q, want %q: %v", c.name, seen.String(), want, err)
		}
		seen.Write(b[:n])
	}
}

// listed is a file that lists consoles as the kernel does (drivers/tty/tty_io.c: show_cons_active),
// and two that do not exist.
func listed(t *testing.T, all ...console) string {
	t.Helper()
	words := []string{"none0"}
	for _, c := range all {
		words = append(words, c.name)
	}
	name := filepath.Join(t.TempDir(), "active")
	if err := os.WriteFile(name, []byte(strings.Join(append(words, "none1"), " ")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// choose is chooseConsole in a goroutine of its own.
func choose(list string) <-chan string {
	name := make(chan string, 1)
	go func() {
		f, err := chooseConsole(list)
		if err != nil {
			name <- "error: " + err.Error()
			return
		}
		defer func() { _ = f.Close() }()
		name <- f.Name()
	}()
	return name
}

// On several consoles the shell opens on the one where Enter is pressed, of which each tells; what
// is typed at the others later is left to what reads there.
func TestShellOnOneOfSeveralConsoles(t *testing.T) {
	all := []console{newConsole(t), newConsole(t), newConsole(t)}
	chosen := choose(listed(t, all...))
	for _, c := range all {
		c.shows(t, "press Enter here for the shell")
	}
	if _, err := all[1].master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := <-chosen, "/dev/"+all[1].name; got != want {
		t.Errorf("the shell is on %s, want %s", got, want)
	}
	if _, err := all[2].master.WriteString("later\n"); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile("/dev/"+all[2].name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	b := make([]byte, 256)
	if n, err := other.Read(b); string(b[:n]) != "later\n" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

// The only console needs no key.
func TestShellOnTheOnlyConsole(t *testing.T) {
	only := newConsole(t)
	if got, want := <-choose(listed(t, only)), "/dev/"+only.name; got != want {
		t.Errorf("the shell is on %s, want %s", got, want)
	}
}

// Without a list, or with one of consoles that do not exist, it is on /dev/console.
func TestShellWithoutConsoles(t *testing.T) {
	for _, list := range []string{filepath.Join(t.TempDir(), "none"), listed(t)} {
		if got := <-choose(list); !strings.Contains(got, "/dev/console") {
			t.Errorf("the shell is on %s", got)
		}
	}
}

// A console that hangs up chooses nothing; if all do, there is none for the shell.
func TestShellOnConsolesThatHangUp(t *testing.T) {
	all := []console{newConsole(t), newConsole(t)}
	chosen := choose(listed(t, all...))
	for _, c := range all {
		c.shows(t, "press Enter here")
	}
	for _, c := range all {
		_ = c.master.Close()
	}
	if got := <-chosen; got != "error: no console answers" {
		t.Errorf("the shell is on %s", got)
	}
}
