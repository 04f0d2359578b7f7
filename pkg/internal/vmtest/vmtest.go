// Package vmtest runs a test as root of a machine in QEMU, with Debian's kernel: what needs a block
// device, or mounts that no user namespace allows (user_namespaces(7)), leaves the host alone
// there.
package vmtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// limit is how long a machine may take, on any host.
const limit = 5 * time.Minute

// Machine is what a test runs in.
type Machine struct {
	// Disk is an image that is Disk inside; none if empty. The machine writes to it.
	Disk string
	// SCSI are images that are /dev/sda, /dev/sdb and so on inside, of one host adapter: they
	// can be removed and found again. Each of them is written to.
	SCSI []string
	// FileSystems are those whose drivers are loaded.
	FileSystems []string
	// Modules are others that are loaded.
	Modules []string
	// Mdadm puts mdadm into the machine.
	Mdadm bool
}

// Disk is the machine's disk.
const Disk = "/dev/vda"

// Inside reports whether this process is in the machine.
func Inside() bool { return os.Getenv(inside) != "" }

// Run runs f, a test, in a machine. TestMain has to call [Main] first, and nstest.Main then.
func Run(t *testing.T, m Machine, f func()) {
	t.Helper()
	if Inside() {
		f()
		return
	}
	out, err := m.run(t)
	if err != nil || !strings.Contains(out, "--- PASS: "+t.Name()+" ") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func (m Machine) run(t *testing.T) (console string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	kernel, err := deps.FindKernel("amd64")
	if err != nil {
		return "", err
	}
	image, err := kernel.Vmlinux()
	if err != nil {
		return "", err
	}
	initrd, err := m.initrd(ctx, t.TempDir(), kernel)
	if err != nil {
		return "", err
	}
	ns, err := lab.NewNamespace()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	c := lab.MachineConfig{Kernel: image, Initrd: initrd, Append: fmt.Sprintf("console=ttyS0 quiet panic=-1 %s=%s -- -test.v -test.run=^%s$",
		modules, strings.Join(slices.Concat(drivers, m.FileSystems, m.Modules), ","), t.Name())}
	if m.Disk != "" {
		c.Args = []string{"-drive", "if=none,format=raw,id=disk,file=" + m.Disk, "-device", "virtio-blk-pci,drive=disk"}
	}
	if len(m.SCSI) > 0 {
		c.Args = append(c.Args, "-device", "virtio-scsi-pci,id=scsi")
	}
	for i, image := range m.SCSI {
		c.Args = append(c.Args, "-drive", fmt.Sprintf("if=none,format=raw,id=scsi%d,file=%s", i, image), "-device", fmt.Sprintf("scsi-hd,bus=scsi.0,scsi-id=%d,drive=scsi%d", i, i))
	}
	machine, err := ns.StartMachine(ctx, c)
	if err != nil {
		return "", err
	}
	_, err = machine.Wait(ctx)
	return strings.ReplaceAll(machine.Output(), "\r", ""), err
}

// initrd builds this package's tests anew, without a C library, as the machine's init.
func (m Machine) initrd(ctx context.Context, dir string, k deps.Kernel) (string, error) {
	program, initrd := filepath.Join(dir, "tests"), filepath.Join(dir, "initrd")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", errors.New("build tests: " + string(text))
	}
	files, err := m.files()
	if err != nil {
		return "", err
	}
	_, err = initramfs.Build(ctx, initramfs.Config{
		Root: k.ModulesRoot, KernelVersion: k.Release, InitPath: program, NICs: []string{"virtio_net"}, FileSystems: m.FileSystems,
		Drivers: slices.Concat(drivers, m.Modules), Files: files, Compression: initramfs.None,
	}, initrd)
	return initrd, err
}

// files are further programs, and the libraries that they link.
func (m Machine) files() ([]initramfs.File, error) {
	if !m.Mdadm {
		return nil, nil
	}
	tree, err := volumes.Mdadm()
	var out []initramfs.File
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		out = append(out, initramfs.File{Path: path, Source: tree[path].Source})
	}
	return out, err
}
