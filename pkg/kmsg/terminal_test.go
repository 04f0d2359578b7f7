package kmsg

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal's other end.
func pty(t *testing.T) (master *os.File, name string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// Arguments of TCXONC (include/uapi/asm-generic/termbits-common.h).
const (
	outputOff = 0 // TCOOFF
	outputOn  = 1 // TCOON
)

// A terminal whose output is stopped holds no line of the log up. When it goes on it shows what had
// a place to wait, the error among it, and how much is missing; nothing is lost in /dev/kmsg.
func TestStoppedTerminal(t *testing.T) {
	master, name := pty(t)
	tty, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tty.Close() }()
	stop := func(how int) {
		if err := unix.IoctlSetInt(int(tty.Fd()), unix.TCXONC, how); err != nil {
			t.Fatal(err)
		}
	}
	p := files(t, "7", "")
	p.Terminals = []string{name}
	l := Open(p)
	stop(outputOff)
	const many = 3 * waitingLines
	for i := range many {
		l.Infof("line %d", i)
	}
	l.Errorf("what matters")
	l.Flush(time.Millisecond) // does not wait for the terminal
	if got := strings.Count(read(t, p.Kmsg), "\n"); got != many+1 {
		t.Errorf("/dev/kmsg has %d lines, want %d", got, many+1)
	}
	stop(outputOn)
	shown := bufio.NewReader(master)
	want := []string{"iscsiroot: line 0", "are not shown here: the terminal was too slow, or stopped", "iscsiroot: what matters"}
	for len(want) > 0 {
		line, err := shown.ReadString('\n')
		if err != nil {
			t.Fatalf("%v, still waiting for %q", err, want)
		}
		if strings.HasSuffix(strings.TrimSpace(line), want[0]) {
			want = want[1:]
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l.Errorf("dropped")
	l.Flush(time.Hour)
}

// An error before a reboot is on the terminal when Flush returns, and Close waits for it as well.
func TestFlush(t *testing.T) {
	for name, flush := range map[string]func(*Logger){
		"flush": func(l *Logger) { l.Flush(time.Hour) },
		"close": func(l *Logger) { _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe() // unlike a terminal it holds at once what is written
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			l := &Logger{loglevel: 7, direct: []*terminal{startTerminal(w)}}
			l.Errorf("rebooting")
			flush(l)
			raw, err := r.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			var n int
			if cerr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf) }); cerr != nil || err != nil {
				t.Fatalf("%v, %v", cerr, err)
			}
			if got := string(buf[:n]); got != "iscsiroot: rebooting\r\n" {
				t.Errorf("read %q", got)
			}
		})
	}
}
