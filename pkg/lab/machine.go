package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// MachineConfig describes a PC in QEMU.
type MachineConfig struct {
	// Kernel, Initrd and Append boot directly. Without Kernel the firmware boots, from the
	// network for example, and shows on the console what it does.
	Kernel, Initrd, Append string
	// UEFI makes the firmware OVMF instead of SeaBIOS. It boots by drivers of its own, not by
	// the cards' ROMs; Debian's has one for virtio only.
	UEFI bool
	// CPUs is 1 if zero, MemoryMiB 512, or 1024 for UEFI.
	CPUs, MemoryMiB int
	// NICs are in the guest's PCI order.
	NICs []NIC
	// Args are further arguments of QEMU's, last on its command line.
	Args []string
	// Reboot lets the guest reboot; otherwise its reboot ends the machine.
	Reboot bool
	// Terminal puts the console on this process's terminal, with QEMU's monitor behind Ctrl-A C
	// and an end by Ctrl-A X. Nothing is collected then, and Expect finds nothing.
	Terminal bool
	// SaveTo is a new file for the machine's memory, so that [Machine.Save] can save it there.
	SaveTo string
	// Resume is the SaveTo of a machine that was saved. This machine continues where that one
	// stopped, on taps of its own; several may do so at the same time. All else must be the
	// same except the taps: QEMU refuses another NIC or another size of memory. For the guest
	// only the clocks differ: they stood still in between.
	Resume string
}

// NIC is one network device of a machine, on a tap.
type NIC struct {
	// Model is QEMU's name of a PCI device, virtio-net-pci if empty.
	Model string
	// MAC is 52:54:00:77:00:01 for the first NIC, :02 for the second, if empty.
	MAC string
	// Tap is the host's end of the wire.
	Tap *Tap
}

// Machine is a running QEMU. What its console prints is in the embedded Console.
type Machine struct {
	*Console
	process *Process
	qmp     *qmp
	saveTo  string
	ended   time.Duration // after which the process had ended; guarded by the Console's lock
}

// Exit is how a machine ended.
type Exit struct {
	// Reason is QEMU's word: "guest-shutdown", "guest-reset", "host-qmp-quit"; empty if QEMU
	// did not say.
	Reason string
	// Code is QEMU's exit status, -1 after a signal.
	Code int
	// CPU is the host's processor time that QEMU took, in user and in kernel mode.
	CPU time.Duration
}

// StartMachine starts a machine in the namespace. ctx limits the start only.
func (ns *Namespace) StartMachine(ctx context.Context, c MachineConfig) (*Machine, error) {
	m, err := ns.startMachine(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("start machine: %w", err)
	}
	return m, nil
}

func (ns *Namespace) startMachine(ctx context.Context, c MachineConfig) (*Machine, error) {
	path, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil, fmt.Errorf("%w; run scripts/deps.sh", err)
	}
	labEnd, qemuEnd, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer qemuEnd.Close()
	if c.UEFI {
		if c, err = ns.addUEFI(c); err != nil {
			return nil, errors.Join(err, labEnd.Close())
		}
	}
	cmd := exec.Command(path, qemuArgs(c, os.Getenv("ISCSIROOT_KVM") == "1")...)
	cmd.ExtraFiles = []*os.File{qemuEnd}
	m := &Machine{saveTo: c.SaveTo}
	if err := m.connect(cmd, c.Terminal); err != nil {
		return nil, errors.Join(err, labEnd.Close())
	}
	if c.Kernel == "" {
		m.escapes = &escapes{}
	}
	m.process, err = ns.StartLogged(cmd)
	if err != nil {
		return nil, errors.Join(err, labEnd.Close())
	}
	m.mu.Lock()
	m.watch.cpu = cpuClock(m.process.Pid())
	if c.Resume != "" {
		m.watch.enter(PhaseInit, 0)
	}
	m.mu.Unlock()
	go func() { // until QEMU ends, at the latest by Namespace.Close
		<-m.process.Done()
		m.stopClock()
		m.finish(errConsoleClosed)
	}()
	m.qmp = newQMP(labEnd)
	err = m.qmp.hello(ctx)
	if err == nil && c.Resume != "" {
		err = m.resume(ctx, c.Resume)
	}
	if err != nil {
		_ = m.process.Kill()
		return nil, fmt.Errorf("%w; qemu printed:\n%s", err, lastLines(m.process.Log(), tailLines))
	}
	return m, nil
}

// connect joins QEMU's standard input and output with the Console or with this process's terminal.
func (m *Machine) connect(cmd *exec.Cmd, terminal bool) error {
	if terminal {
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		m.Console = newConsole(io.Discard)
		return nil
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	m.Console = newConsole(in)
	cmd.Stdout = m.Console
	return nil
}

// socketPair gives QEMU its end as an open descriptor: no path that could be too long, no wait for
// a listener.
func socketPair() (labEnd, qemuEnd *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that Close ends a read
		return nil, nil, errors.Join(fmt.Errorf("socketpair: %w", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "qmp"), os.NewFile(uintptr(fds[1]), "qmp of qemu"), nil
}

// QMP executes a command of QEMU's machine protocol, "screendump" for example. args is encoded as
// JSON; nil: none. A refusal is a *[QMPError].
func (m *Machine) QMP(ctx context.Context, command string, args any) (json.RawMessage, error) {
	return m.qmp.execute(ctx, command, args)
}

// SetLink connects or disconnects the cable of the i-th NIC: the guest's carrier changes.
func (m *Machine) SetLink(ctx context.Context, i int, up bool) error {
	_, err := m.QMP(ctx, "set_link", map[string]any{"name": nicID(i), "up": up})
	return err
}

// Reset presses the reset button.
func (m *Machine) Reset(ctx context.Context) error {
	_, err := m.QMP(ctx, "system_reset", nil)
	return err
}

// PressPower presses the power button, which a guest may ignore.
func (m *Machine) PressPower(ctx context.Context) error {
	_, err := m.QMP(ctx, "system_powerdown", nil)
	return err
}

// Events are all events so far, oldest first.
func (m *Machine) Events() []Event { return m.qmp.all() }

// WaitEvent waits for the next event of that name, "RESET" or "SHUTDOWN" for example, that no
// earlier call has returned.
func (m *Machine) WaitEvent(ctx context.Context, name string) (Event, error) {
	return m.qmp.next(ctx, name)
}

// Wait waits until the machine has ended. Its error carries the console's last lines.
func (m *Machine) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-m.process.Done():
	case <-ctx.Done():
		return Exit{}, fmt.Errorf("wait for power-off: %w; last console lines:\n%s", ctx.Err(), lastLines(m.Output(), tailLines))
	}
	<-m.qmp.done // every event has been read
	shutdown, _ := m.qmp.last("SHUTDOWN")
	state := m.process.cmd.ProcessState
	return Exit{Reason: shutdown.Reason, Code: state.ExitCode(), CPU: state.UserTime() + state.SystemTime()}, nil
}

// Done is closed when the machine has ended.
func (m *Machine) Done() <-chan struct{} { return m.process.Done() }

// Log is what QEMU itself printed on its standard error.
func (m *Machine) Log() string { return m.process.Log() }

// Stop ends the machine as a power cut does. A machine that has ended already is no error.
func (m *Machine) Stop() error {
	m.tearDown()
	return m.process.Kill()
}
