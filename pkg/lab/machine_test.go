package lab

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// TestMachine boots a kernel with the busybox tree as its initramfs: console both ways, QMP, the
// shell's job control, power-off.
func TestMachine(t *testing.T) {
	t.Parallel()
	ns, tap := testNamespace(t)
	second, err := ns.AddTap("tap1")
	if err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	m := bootBusybox(ctx, t, ns, NIC{Tap: tap}, NIC{Tap: second, Model: "e1000"})
	talk(ctx, t, m)
	checkQMP(ctx, t, m)
	if err := m.Send("exit\n"); err != nil {
		t.Fatal(err)
	}
	exit, err := m.Wait(ctx)
	if err != nil || exit.Reason != "guest-shutdown" || exit.Code != 0 || exit.CPU <= 0 {
		t.Errorf("exit %+v %v, want guest-shutdown; events %v", exit, err, m.Events())
	}
	checkTimes(t, m.Console)
	if e, err := m.WaitEvent(ctx, "SHUTDOWN"); err != nil || !e.Guest {
		t.Errorf("event %+v %v", e, err)
	}
	if _, err := m.Expect(ctx, "never"); !errors.Is(err, errConsoleClosed) || !strings.Contains(err.Error(), "poweroff") {
		t.Errorf("after the end: %v", err)
	}
}

func bootBusybox(ctx context.Context, t *testing.T, ns *Namespace, nics ...NIC) *Machine {
	t.Helper()
	c := busyboxConfig(t)
	c.NICs = nics
	m, err := ns.StartMachine(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Expect(ctx, "Linux version "); err != nil {
		t.Fatal(err)
	}
	return m
}

// busyboxConfig is a machine with the busybox tree as its initramfs, and modules of the kernel in
// "/".
func busyboxConfig(t *testing.T, modules ...string) MachineConfig {
	t.Helper()
	kernel, err := deps.FindKernel("amd64")
	if err != nil {
		t.Fatal(err)
	}
	root, err := images.BusyboxRoot()
	if err != nil {
		t.Fatal(err)
	}
	root["init"] = images.Symlink("sbin/init")
	for _, module := range modules {
		root[filepath.Base(module)] = images.Copy(filepath.Join(kernel.ModulesRoot, "lib/modules", kernel.Release, module))
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	if err := images.WriteInitrd(initrd, root); err != nil {
		t.Fatal(err)
	}
	image, err := kernel.Vmlinux()
	if err != nil {
		t.Fatal(err)
	}
	return MachineConfig{Kernel: image, Initrd: initrd, Append: "console=ttyS0 panic=-1"}
}

const busyboxPrompt = "iscsiroot:/root# "

func talk(ctx context.Context, t *testing.T, m *Machine) {
	t.Helper()
	for _, step := range []struct{ send, want string }{
		{"", busyboxPrompt},
		{"sleep 600 & jobs\n", "[1]+  Running"},
		{"sh -c 'echo fore''ground; sleep 601'\n", "foreground"}, // typed otherwise than printed
		{"\x03", busyboxPrompt},                                  // Ctrl-C reaches the foreground job
		{"tty\n", "/dev/ttyS0"},
	} {
		if err := m.Send(step.send); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Expect(ctx, step.want); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Send("rootinfo\n"); err != nil {
		t.Fatal(err)
	}
	got, err := m.ExpectMatch(ctx, regexp.MustCompile(`mount: \d+ \d+ (\d+:\d+) / / .* - (\w+) .*\n`))
	if err != nil || got[2] != "rootfs" {
		t.Errorf("rootinfo: %q %v", got, err)
	}
}

func checkQMP(ctx context.Context, t *testing.T, m *Machine) {
	t.Helper()
	for _, up := range []bool{false, true} {
		if err := m.SetLink(ctx, 1, up); err != nil {
			t.Error(err)
		}
	}
	var refused *QMPError
	if err := m.SetLink(ctx, 2, false); !errors.As(err, &refused) || refused.Class != "DeviceNotFound" {
		t.Errorf("a NIC that is not there: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.WaitEvent(ended, "RESET"); !errors.Is(err, context.Canceled) {
		t.Errorf("an event that did not come: %v", err)
	}
}

// checkTimes looks for lines in order, and logs the duration of the boot.
func checkTimes(t *testing.T, c *Console) {
	t.Helper()
	var last time.Duration
	for _, line := range c.Lines() {
		if line.At < last {
			t.Errorf("%q came at %v, before the line above it at %v", line.Text, line.At, last)
		}
		last = line.At
		if strings.Contains(line.Text, "Linux version") || strings.Contains(line.Text, "BusyBox v") {
			t.Logf("%v %s", line.At, line.Text)
		}
	}
}
