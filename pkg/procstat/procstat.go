// Package procstat reads the text of /proc/PID/stat.
package procstat

import (
	"strconv"
	"strings"
)

// Stat is the part of it that is used (proc_pid_stat(5); fs/proc/array.c: do_task_stat).
type Stat struct {
	Comm   string // the name; it may hold any character
	State  byte   // task_state_array of fs/proc/array.c
	Parent int
	Flags  uint64 // include/linux/sched.h, PF_
	Pages  int64  // resident
}

// Indices of the values behind the name.
const (
	atState, atParent, atFlags, atPages = 0, 1, 6, 21
)

// kthread is the flag of a thread of the kernel's (include/linux/sched.h: PF_KTHREAD).
const kthread = 0x00200000

// Parse reads the text: pid (comm) state ppid ... It may be cut behind the pages.
func Parse(text string) (s Stat, ok bool) {
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return Stat{}, false
	}
	f := strings.Fields(text[shut+1:])
	if len(f) <= atPages || len(f[atState]) != 1 || f[atState][0] > '~' {
		return Stat{}, false
	}
	s = Stat{Comm: text[open+1 : shut], State: f[atState][0]}
	var errs [3]error
	s.Parent, errs[0] = strconv.Atoi(f[atParent])
	s.Flags, errs[1] = strconv.ParseUint(f[atFlags], 10, 64)
	s.Pages, errs[2] = strconv.ParseInt(f[atPages], 10, 64)
	if errs != [3]error{} {
		return Stat{}, false
	}
	return s, true
}

// Stopped reports whether a signal, or a debugger, has stopped the process.
func (s Stat) Stopped() bool { return s.State == 'T' || s.State == 't' }

// Ended reports whether the process has ended and is not reaped.
func (s Stat) Ended() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// Kernel reports whether it is a thread of the kernel's.
func (s Stat) Kernel() bool { return s.Flags&kthread != 0 }
