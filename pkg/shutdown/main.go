package shutdown

import (
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
)

// Program is the name that systemd runs: the base name of argv[0].
const Program = "shutdown"

// Main is the program. It does not return.
func Main(args []string) {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "iscsiroot: this is what the real init returns to at its end and runs as process 1 only: use poweroff or reboot")
		os.Exit(1)
	}
	signal.Notify(make(chan os.Signal, 1)) // all of them: none ends PID 1
	log := kmsg.Open(kmsg.SystemPaths())
	action := ParseAction(args)
	log.Infof("shutdown: %s", action)
	if err := Run(newLinux(), action, log); err != nil {
		log.Errorf("shutdown: %s: %v: switch the machine off by hand", action, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// ParseAction returns the action among a program's arguments, by default a
// reboot: a machine that ends in an unknown way should come back.
func ParseAction(args []string) Action {
	for _, a := range args {
		switch a := Action(a); a {
		case PowerOff, Reboot, Halt, Kexec:
			return a
		}
	}
	return Reboot
}

// commands are reboot(2)'s.
var commands = map[Action]int{
	PowerOff: unix.LINUX_REBOOT_CMD_POWER_OFF,
	Reboot:   unix.LINUX_REBOOT_CMD_RESTART,
	Halt:     unix.LINUX_REBOOT_CMD_HALT,
	Kexec:    unix.LINUX_REBOOT_CMD_KEXEC,
}

// Power implements System. Without a kernel to start it reboots.
func (l *linux) Power(a Action) error {
	err := unix.Reboot(commands[a])
	if a == Kexec {
		err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	return err
}
