package lab

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A machine is saved at its prompt and continues twice, at the same time, on a tap of its own each.
// One with another NIC does not, and one without SaveTo cannot be saved.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	ns, first := testNamespace(t)
	second, err := ns.AddTap("tap1", netip.MustParsePrefix("10.78.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	l := talker{t, testContext(t), ns}
	c := busyboxConfig(t, "kernel/drivers/net/ethernet/intel/e1000/e1000.ko")
	c.Append += " quiet" // no line of the kernel's in the midst of an echo
	c.SaveTo = filepath.Join(t.TempDir(), "it's, a memory")
	c.NICs = []NIC{{Model: "e1000", Tap: first}}
	m := l.start(c)
	l.say(m, "", busyboxPrompt)
	l.say(m, "here=sa; here=${here}ved; echo $here\n", "\nsaved\n")
	if err := m.Save(l.ctx); err != nil {
		t.Fatal(err)
	}
	c.SaveTo, c.Resume = "", c.SaveTo
	m = l.start(c)
	c.NICs = []NIC{{Model: "e1000", Tap: second}}
	other := l.start(c)
	l.say(m, "echo $here-$((40+2)); here=first; cd /tmp\n", "\nsaved-42\n")
	l.say(other, "echo $here in $PWD\n", "\nsaved in /root\n")
	l.say(m, "echo $here in $PWD\n", "\nfirst in /tmp\n")
	const up = "insmod /e1000.ko && ifconfig eth0 10.7%.0.2 netmask 255.255.255.0 && ping 10.7%.0.1\n"
	l.say(m, strings.ReplaceAll(up, "%", "7"), "PING")
	l.say(other, strings.ReplaceAll(up, "%", "8"), "64 bytes from 10.78.0.1")
	l.say(m, "", "64 bytes from 10.77.0.1")
	if p := m.Phases(); p[PhaseFirmware].Wall != 0 || p[PhaseKernel].Wall != 0 || p[PhaseInit].CPU <= 0 {
		t.Errorf("phases of a machine that was resumed: %v", p)
	}
	if err := m.Save(l.ctx); !errors.Is(err, errNoSaveTo) {
		t.Errorf("saved a machine without SaveTo: %v", err)
	}
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	c.NICs[0].Model = "virtio-net-pci"
	if _, err := ns.StartMachine(l.ctx, c); err == nil || !strings.Contains(err.Error(), "made alike") || !strings.Contains(err.Error(), "e1000") {
		t.Errorf("resumed with another NIC: %v", err)
	}
}

// talker starts machines and uses their consoles, or ends the test.
type talker struct {
	t   *testing.T
	ctx context.Context
	ns  *Namespace
}

func (l talker) start(c MachineConfig) *Machine {
	l.t.Helper()
	m, err := l.ns.StartMachine(l.ctx, c)
	if err != nil {
		l.t.Fatal(err)
	}
	return m
}

func (l talker) say(m *Machine, text, want string) {
	l.t.Helper()
	if err := m.Send(text); err != nil {
		l.t.Fatal(err)
	}
	if _, err := m.Expect(l.ctx, want); err != nil {
		l.t.Fatal(err)
	}
}

func TestMemoryArgs(t *testing.T) {
	if got := memoryArgs(MachineConfig{}); got != nil {
		t.Errorf("neither saved nor resumed: %q", got)
	}
	got := memoryArgs(MachineConfig{Resume: "/a,b", MemoryMiB: 64})
	if want := "memory-backend-file,id=memory,size=64M,share=off,mem-path=/a,,b"; !slices.Contains(got, want) {
		t.Errorf("%q, want %s in it", got, want)
	}
}
