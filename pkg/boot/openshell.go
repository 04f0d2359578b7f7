package boot

import (
	"os"
	"strings"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/shell"
)

// openBreak opens the shell at a break point.
func (m *Machine) openBreak(step string) {
	m.Log.Infof("break before step %s: go on with exit", step)
	m.openShell()
	m.Log.Infof("going on with step %s", step)
}

// openShell runs the shell and waits for its end, however it comes: a shell
// that is killed or crashes is a shell that was left. The shell asks for the
// machine's end by its exit status.
func (m *Machine) openShell() {
	argv := shell.Command(m.Plan.Policy.Shell.V)
	tty, err := openTTY()
	if err != nil {
		m.Log.Errorf("shell: %v: there is no console to open it on", err)
		return
	}
	defer func() { _ = tty.Close() }()
	_, status, err := m.reaper.start(func() (int, error) {
		return syscall.ForkExec(argv[0], argv[1:], &syscall.ProcAttr{
			Env:   []string{"TERM=linux", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/"},
			Files: []uintptr{tty.Fd(), tty.Fd(), tty.Fd()},
			Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true},
		})
	})
	if err != nil {
		m.Log.Errorf("shell %s: %v", argv[0], err)
		return
	}
	switch s := <-status; {
	case s.Signaled():
		m.Log.Warnf("shell %s was killed by signal %d", argv[0], int(s.Signal()))
	case s.ExitStatus() == shell.ExitReboot:
		m.power(bootspec.Reboot)
	case s.ExitStatus() == shell.ExitPowerOff:
		m.power(bootspec.PowerOff)
	}
}

// openTTY opens the terminal behind the console: /dev/console itself cannot
// become a controlling terminal. The last name in the file is the one that
// /dev/console stands for.
func openTTY() (*os.File, error) {
	b, err := os.ReadFile("/sys/class/tty/console/active")
	if err == nil {
		if names := strings.Fields(string(b)); len(names) > 0 {
			if f, err := os.OpenFile("/dev/"+names[len(names)-1], os.O_RDWR|syscall.O_NOCTTY, 0); err == nil {
				return f, nil
			}
		}
	}
	return os.OpenFile("/dev/console", os.O_RDWR|syscall.O_NOCTTY, 0)
}
