package verb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/procstat"
)

func psVerb() Verb {
	return Verb{Name: "ps", Help: "list the processes", Group: System, Run: func(_ context.Context, c *Call) error {
		list, err := processes("/proc")
		if err != nil {
			return err
		}
		if err := c.Printf("%6s %6s %-1s %10s  %s\n", "pid", "parent", "s", "KiB", "command"); err != nil {
			return err
		}
		for _, p := range list {
			if err := c.Printf("%6d %6d %-1s %10d  %s\n", p.pid, p.parent, p.state, p.kib, p.command); err != nil {
				return err
			}
		}
		return nil
	}}
}

type process struct {
	pid, parent int
	state       string
	kib         int64
	command     string
}

// processes reads /proc; those that end meanwhile are left out.
func processes(proc string) ([]process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var out []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(proc, e.Name(), "stat"))
		if err != nil {
			continue
		}
		p, ok := parseStat(string(stat))
		if !ok {
			continue
		}
		p.pid = pid
		if b, err := os.ReadFile(filepath.Join(proc, e.Name(), "cmdline")); err == nil && len(b) > 0 {
			p.command = strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ")
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].pid < out[j].pid })
	return out, nil
}

// parseStat reads /proc/PID/stat. A kernel thread has no other name.
func parseStat(stat string) (process, bool) {
	st, ok := procstat.Parse(stat)
	if !ok {
		return process{}, false
	}
	return process{parent: st.Parent, state: string(st.State), kib: st.Pages * int64(os.Getpagesize()) >> 10, command: "[" + st.Comm + "]"}, true
}

func killVerb() Verb {
	return Verb{Name: "kill", Args: "[-SIGNAL] PID|%JOB...", Help: "send a signal; TERM without -SIGNAL", Group: System, Run: func(ctx context.Context, c *Call) error {
		sig, args := unix.SIGTERM, c.Args
		if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
			var ok bool
			if sig, ok = signalOf(args[0][1:]); !ok {
				return usage("unknown signal %s", args[0][1:])
			}
			args = args[1:]
		}
		if len(args) == 0 {
			return usage("needs a process or a job")
		}
		return each(ctx, args, func(arg string) error {
			pid, err := strconv.Atoi(arg)
			switch {
			case err != nil:
				return usage("%s is not a process", arg)
			case pid == 1 || pid == -1:
				return errors.New("process 1 boots this machine: use retry, reboot or poweroff")
			}
			if err := unix.Kill(pid, sig); err != nil {
				return fmt.Errorf("process %d: %w", pid, err)
			}
			return nil
		})
	}}
}

// signalOf takes a number or a name, with or without SIG.
func signalOf(name string) (unix.Signal, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return unix.Signal(n), n >= 0 && n <= 64
	}
	sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
	return sig, sig != 0
}
