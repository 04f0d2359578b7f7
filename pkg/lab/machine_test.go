package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tinyInitrd builds testdata/tinyinit into an initramfs.
func tinyInitrd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "init"), "./testdata/tinyinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	initrd := filepath.Join(dir, "initrd")
	if err := WriteInitrd(initrd, Tree{"init": Copy(filepath.Join(dir, "init"))}); err != nil {
		t.Fatal(err)
	}
	return initrd
}

// TestMachine is the one test here that boots a kernel: console both ways, QMP, power-off.
func TestMachine(t *testing.T) {
	kernel, err := FindKernel("amd64")
	if err != nil {
		t.Fatal(err)
	}
	ns, tap := testNamespace(t)
	ctx := testContext(t)
	m, err := ns.StartMachine(ctx, MachineConfig{
		Kernel: kernel.Image, Initrd: tinyInitrd(t), Append: "console=ttyS0 panic=-1",
		NICs: []NIC{{Tap: tap}, {Tap: mustTap(t, ns, "tap1"), Model: "e1000"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Expect(ctx, "Linux version "+kernel.Release); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Expect(ctx, "tinyinit: started as pid 1"); err != nil {
		t.Fatal(err)
	}
	for _, up := range []bool{false, true} {
		if err := m.SetLink(ctx, 1, up); err != nil {
			t.Error(err)
		}
	}
	var refused *QMPError
	if err := m.SetLink(ctx, 2, false); !errors.As(err, &refused) {
		t.Errorf("a NIC that is not there: %v", err)
	}
	if err := m.Send("hello\n"); err != nil {
		t.Fatal(err)
	}
	got, err := m.ExpectMatch(ctx, regexp.MustCompile(`tinyinit: read "(.*)\\n" <nil>`))
	if err != nil || got[1] != "hello" {
		t.Fatalf("%q %v", got, err)
	}
	exit, err := m.Wait(ctx)
	if want := (Exit{Reason: "guest-shutdown"}); err != nil || exit != want {
		t.Errorf("exit %+v %v, want %+v; events %v", exit, err, want, m.Events())
	}
	checkTimes(t, m.Console)
	if e, err := m.WaitEvent(ctx, "SHUTDOWN"); err != nil || !e.Guest {
		t.Errorf("event %+v %v", e, err)
	}
	if _, err := m.Expect(ctx, "never"); !errors.Is(err, errConsoleClosed) || !strings.Contains(err.Error(), "tinyinit: read") {
		t.Errorf("after the end: %v", err)
	}
}

func mustTap(t *testing.T, ns *Namespace, name string) *Tap {
	t.Helper()
	tap, err := ns.AddTap(name)
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// checkTimes looks for lines in order, and says how long the boot took.
func checkTimes(t *testing.T, c *Console) {
	t.Helper()
	var last time.Duration
	for _, line := range c.Lines() {
		if line.At < last {
			t.Errorf("%q came at %v, before the line above it at %v", line.Text, line.At, last)
		}
		last = line.At
		if strings.HasPrefix(line.Text, "tinyinit:") {
			t.Logf("%v %s", line.At, line.Text)
		}
	}
}
