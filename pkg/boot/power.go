package boot

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// emergencyDelay is for how long a failure stays on the screen.
const emergencyDelay = 60 * time.Second

// end reboots, powers off or halts after a while.
func (m *Machine) end() {
	action := m.Plan.Policy.Emergency.Or(bootspec.Reboot)
	m.Log.Errorf("%s in %d s (rd.emergency= changes the action, rd.shell opens a shell instead)", progressive(action), int(emergencyDelay.Seconds()))
	time.Sleep(emergencyDelay)
	m.power(action)
}

// progressive returns what the machine is doing when it carries out the action.
func progressive(action bootspec.Emergency) string {
	switch action {
	case bootspec.PowerOff:
		return "powering off"
	case bootspec.Halt:
		return "halting"
	default:
		return "rebooting"
	}
}

// ctrlAltDel reboots as the key combination requests. Pressed once more it does so immediately.
func (m *Machine) ctrlAltDel() {
	m.Log.Errorf("ctrl-alt-del: rebooting")
	m.power(bootspec.Reboot)
}

// power writes back what can be written, logs out of the sessions and ends the machine. It does not
// return. What hangs does not prevent that.
func (m *Machine) power(action bootspec.Emergency) {
	if m.ending.CompareAndSwap(false, true) {
		if err := contain.Call("shutdown", func() error { m.leave(); return nil }); err != nil {
			m.Log.Errorf("%v", err)
		}
	}
	if err := m.powerNow(action); err != nil {
		m.Log.Errorf("%s: %v: switch the machine off by hand", action, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// leave unmounts and logs out before the machine ends.
func (m *Machine) leave() {
	m.sessions.Abandon()
	table, _ := os.ReadFile("/proc/self/mounts")
	dirs := slices.DeleteFunc([]string{sysroot + "/usr", sysroot}, func(dir string) bool {
		return mounts.On(string(table), dir) == (mounts.Mount{})
	})
	shutdown.EndBoot(m.sessions.IDs(), dirs, m.Log)
}

// flushLimit is for how long the last lines are waited for, where the log writes to terminals
// itself.
const flushLimit = time.Second

// rebootLimit is for how long the kernel may take to reboot: it calls the shutdown function of
// every driver, and one may hang.
const rebootLimit = 30 * time.Second

// powerNow ends the machine, and returns only if it cannot.
func (m *Machine) powerNow(action bootspec.Emergency) error {
	command, key := 0, ""
	switch action {
	case bootspec.Reboot:
		command, key = unix.LINUX_REBOOT_CMD_RESTART, "b"
	case bootspec.PowerOff:
		command, key = unix.LINUX_REBOOT_CMD_POWER_OFF, "o"
	case bootspec.Halt:
		command = unix.LINUX_REBOOT_CMD_HALT
	}
	// Without calling the drivers, as far as the kernel can (drivers/tty/sysrq.c:
	// sysrq_handle_reboot; kernel/power/poweroff.c).
	if key != "" {
		time.AfterFunc(rebootLimit, contain.Func("late "+string(action), func() { _ = os.WriteFile("/proc/sysrq-trigger", []byte(key), 0) }, nil))
	}
	m.Log.Flush(flushLimit)
	return unix.Reboot(command)
}
