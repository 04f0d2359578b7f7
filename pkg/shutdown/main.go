package shutdown

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Program is the name that systemd runs: the base name of argv[0].
const Program = "shutdown"

// Main is the program. It returns only if another program ends the machine, or on an error.
func Main(args []string) int {
	action, status := begin(args, os.Getenv("RUNLEVEL"), os.Getpid(), runstate.Path(runstate.MarkName))
	if action == "" {
		return status
	}
	signal.Notify(make(chan os.Signal, 1)) // all of them: none may end this program
	log := kmsg.Open(kmsg.SystemPaths())
	log.Infof("shutdown: %s", action)
	if err := enter(); err != nil {
		log.Errorf("shutdown: %v", err) // the steps that do not need it are done
	}
	err := Run(&flushing{newLinux(), log}, action, log)
	if err == nil && action == Leave {
		log.Flush(flushLimit)
		return 0
	}
	log.Errorf("shutdown: %s: %v: switch the machine off by hand", action, err)
	log.Flush(flushLimit)
	if os.Getpid() != 1 {
		return 1
	}
	for {
		time.Sleep(time.Hour)
	}
}

// begin returns the action; empty: the program ends with status, because it was run to write the
// mark, or by hand. The latter must not end a machine that works: shutdown without an argument is
// what shutdown(8) takes as "in a minute".
func begin(args []string, runlevel string, pid int, mark string) (action runstate.Action, status int) {
	if m, err := runstate.MarkOf(args); err == nil && slices.Contains(args, runstate.BegunArgument) {
		return "", writeMark(m, mark)
	}
	switch action = ParseAction(args, runlevel); {
	case action == "" && pid == 1:
		return runstate.Reboot, 0 // without a known action the machine reboots
	case action == "":
		fmt.Fprintln(os.Stderr, "iscsiroot: this program ends a shutdown and is run by the real init: use poweroff or reboot")
		return "", 1
	}
	return action, 0
}

// ParseAction returns the action among a program's arguments; without one that of sysvinit's
// runlevel; empty if there is none either.
func ParseAction(args []string, runlevel string) runstate.Action {
	for _, word := range args {
		switch w := runstate.Action(word); w {
		case runstate.PowerOff, runstate.Reboot, runstate.Halt, runstate.Kexec, Leave:
			return w
		}
	}
	switch runlevel {
	case "0":
		return runstate.PowerOff
	case "6":
		return runstate.Reboot
	}
	return ""
}

// commands are reboot(2)'s.
var commands = map[runstate.Action]int{
	runstate.PowerOff: unix.LINUX_REBOOT_CMD_POWER_OFF,
	runstate.Reboot:   unix.LINUX_REBOOT_CMD_RESTART,
	runstate.Halt:     unix.LINUX_REBOOT_CMD_HALT,
	runstate.Kexec:    unix.LINUX_REBOOT_CMD_KEXEC,
}

// flushLimit is for how long the last lines are waited for, where the log writes to terminals
// itself.
const flushLimit = time.Second

// flushing is a System that shows the last lines of the log before it ends.
type flushing struct {
	*linux
	log *kmsg.Logger
}

// Power implements System.
func (f *flushing) Power(a runstate.Action) error {
	f.log.Flush(flushLimit)
	return f.linux.Power(a)
}

// Power implements System. Without a kernel to start it reboots.
func (l *linux) Power(a runstate.Action) error {
	if a == Leave {
		return nil
	}
	err := unix.Reboot(commands[a])
	if a == runstate.Kexec {
		err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	return err
}
