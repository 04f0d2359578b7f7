// Package kmsg writes this program's log to the kernel's, so that a line is in time order with the
// kernel's lines, reaches every console that the kernel writes to, and is still in dmesg when the
// real system runs.
package kmsg

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Level is a kernel log level (include/linux/kern_levels.h).
type Level int

// The levels we use. The kernel shows a line on its consoles if its level is below the console log
// level: 7 by default, 4 with quiet.
const (
	levelEmerg Level = 0 // #define KERN_EMERG   KERN_SOH "0"
	Err        Level = 3 // #define KERN_ERR     KERN_SOH "3"
	Warning    Level = 4 // #define KERN_WARNING KERN_SOH "4"
	Info       Level = 6 // #define KERN_INFO    KERN_SOH "6"
	Debug      Level = 7 // #define KERN_DEBUG   KERN_SOH "7"
)

// prefix begins every line of this program.
const prefix = "iscsiroot: "

// maxRecord is the longest text of one record; the kernel refuses a write of more than 1024 bytes
// less its own prefix (kernel/printk/printk.c: LOG_LINE_MAX).
const maxRecord = 900

// Logger writes lines to the kernel's log. It is safe for concurrent use; a nil Logger drops
// everything. No terminal blocks a caller, see terminal.
type Logger struct {
	kmsg     *os.File    // nil: no /dev/kmsg, all goes to direct
	direct   []*terminal // to write to ourselves; usually none
	loglevel Level       // console log level at the start

	mu     sync.Mutex // orders the lines; held for no longer than /dev/kmsg takes
	debug  bool
	closed bool
}

// Paths are the files that Open uses; a test passes others.
type Paths struct {
	Kmsg      string   // /dev/kmsg
	Devkmsg   string   // /proc/sys/kernel/printk_devkmsg
	Printk    string   // /proc/sys/kernel/printk
	Consoles  string   // /proc/consoles
	Terminals []string // what to write to if the kernel has no console
}

// SystemPaths are the kernel's own.
func SystemPaths() Paths {
	return Paths{
		Kmsg:     "/dev/kmsg",
		Devkmsg:  "/proc/sys/kernel/printk_devkmsg",
		Printk:   "/proc/sys/kernel/printk",
		Consoles: "/proc/consoles",
		// A console= that names no device leaves the kernel without any; these are where a
		// person most likely looks.
		Terminals: []string{"/dev/ttyS0", "/dev/tty0", "/dev/hvc0", "/dev/ttyAMA0"},
	}
}

// Open makes the logger. It never fails: files that cannot be opened are not used, and in the last
// resort the log is standard error only.
func Open(p Paths) *Logger {
	l := &Logger{loglevel: consoleLevel(p.Printk)}
	// Without this the kernel drops all but 10 lines in 5 s from one open file
	// (kernel/printk/printk.c: DEVKMSG_LOG_MASK_DEFAULT).
	_ = os.WriteFile(p.Devkmsg, []byte("on\n"), 0)
	l.kmsg, _ = os.OpenFile(p.Kmsg, os.O_WRONLY, 0)
	if b, err := os.ReadFile(p.Consoles); err == nil && len(b) > 0 && l.kmsg != nil {
		return l
	}
	for _, name := range p.Terminals {
		if f, err := openTerminal(name); err == nil {
			l.direct = append(l.direct, startTerminal(f))
		}
	}
	if l.kmsg == nil && len(l.direct) == 0 {
		l.direct = []*terminal{startTerminal(os.Stderr)}
	}
	return l
}

// consoleLevel reads the first number of /proc/sys/kernel/printk; 7 if it cannot be read, which is
// the kernel's default.
func consoleLevel(path string) Level {
	b, err := os.ReadFile(path)
	first, _, _ := strings.Cut(string(b), "\t")
	n := 0
	if err == nil {
		n, err = strconv.Atoi(strings.TrimSpace(first))
	}
	if err != nil || n < 0 || n > 15 {
		return 7
	}
	return Level(n)
}

// Terminals are the terminals that the logger writes to itself because the kernel has no console,
// or none.
func (l *Logger) Terminals() []*os.File {
	var out []*os.File
	for _, t := range l.direct {
		out = append(out, t.file)
	}
	return out
}

// SetDebug shows debug lines like progress.
func (l *Logger) SetDebug(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debug = on
}

// Errorf logs what must be shown whatever quiet or loglevel= is set.
func (l *Logger) Errorf(format string, args ...any) { l.log(Err, format, args...) }

// Warnf logs what is doubtful but does not stop the boot.
func (l *Logger) Warnf(format string, args ...any) { l.log(Warning, format, args...) }

// Infof logs progress.
func (l *Logger) Infof(format string, args ...any) { l.log(Info, format, args...) }

// Debugf logs detail, shown with rd.debug.
func (l *Logger) Debugf(format string, args ...any) { l.log(Debug, format, args...) }

func (l *Logger) log(level Level, format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return
	case level == Debug && l.debug:
		level = Info
	case level == Err && l.loglevel <= Err:
		level = max(levelEmerg, l.loglevel-1)
	}
	for _, line := range lines(fmt.Sprintf(format, args...)) {
		l.write(level, prefix+line)
	}
}

func (l *Logger) write(level Level, line string) {
	if l.kmsg != nil {
		// One write is one record; a record that cannot be written has nowhere else to go.
		_, _ = fmt.Fprintf(l.kmsg, "<%d>%s\n", level, line)
	}
	if level < l.loglevel || level == levelEmerg {
		for _, t := range l.direct {
			t.put(level, line)
		}
	}
}

// lines splits text into what fits a record each, without control characters: some of it comes from
// a target, and a terminal obeys them.
func lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = words.Mask(line)
		for len(line) > maxRecord {
			out = append(out, line[:maxRecord])
			line = line[maxRecord:]
		}
		out = append(out, line)
	}
	return out
}

// flushLimit is for how long Close waits for terminals.
const flushLimit = time.Second

// Flush waits until the terminals have taken all lines so far, for no longer than limit: one whose
// output is stopped takes none. Call it before a reboot and before a program ends. Lines in
// /dev/kmsg need no such thing.
func (l *Logger) Flush(limit time.Duration) {
	if l == nil || len(l.direct) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, t := range l.direct {
		t.flush(ctx)
	}
}

// Close closes the logger's files, after a Flush. Standard error stays open.
func (l *Logger) Close() error {
	l.Flush(flushLimit)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, t := range l.direct {
		t.end()
	}
	if l.kmsg == nil {
		return nil
	}
	return l.kmsg.Close()
}
