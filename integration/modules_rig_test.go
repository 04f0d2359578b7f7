package integration

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// diskModules are the modules of an iSCSI root on ext4; those that are built in are skipped.
const diskModules = "iscsi_tcp sd_mod ext4 crypto-crc32c"

// otherInitrd is an initrd that was not made by iscsiroot build, with its init added.
type otherInitrd struct {
	t      *testing.T
	kernel deps.Kernel
	tree   images.Tree
	index  *kmod.Index
}

func newOtherInitrd(t *testing.T, kernel string) *otherInitrd {
	t.Helper()
	k, err := deps.FindKernel(kernel)
	if err != nil {
		t.Fatal(err)
	}
	f := &otherInitrd{t: t, kernel: k, tree: images.Tree{"init": images.Copy(built.init())}}
	if f.index, err = kmod.Read(os.DirFS(f.dir())); err != nil {
		t.Fatal(err)
	}
	return f
}

// dir is where the distribution's tree is on this host.
func (f *otherInitrd) dir() string {
	return filepath.Join(f.kernel.ModulesRoot, "lib/modules", f.kernel.Release)
}

// plan returns the modules that these names need.
func (f *otherInitrd) plan(names string) []kmod.Module {
	f.t.Helper()
	mods, err := f.index.Plan(strings.Fields(names)...)
	if err != nil {
		f.t.Fatal(err)
	}
	return mods
}

// addTree adds modules at their paths in the distribution, and its whole index, which lists
// thousands more.
func (f *otherInitrd) addTree(names string) {
	f.t.Helper()
	base := path.Join("lib/modules", f.kernel.Release)
	for _, m := range f.plan(names) {
		f.tree[path.Join(base, m.Path)] = images.Copy(filepath.Join(f.dir(), m.Path))
	}
	index, err := filepath.Glob(filepath.Join(f.dir(), "modules.*"))
	if err != nil || len(index) < 10 {
		f.t.Fatalf("index of %s: %d files, %v", f.dir(), len(index), err)
	}
	for _, name := range index {
		f.tree[path.Join(base, filepath.Base(name))] = images.Copy(name)
	}
}

// addFlat adds modules as in the HOWTO: the files alone, directly in lib/modules. Of three one is
// compressed by gzip and one by zstd.
func (f *otherInitrd) addFlat(names string) {
	f.t.Helper()
	for i, m := range f.plan(names) {
		source := filepath.Join(f.dir(), m.Path)
		target := path.Join("lib/modules", filepath.Base(m.Path))
		switch i % 3 {
		case 0:
			f.tree[target] = images.Copy(source)
		case 1:
			f.tree[target+".gz"] = f.packed("gzip", source)
		case 2:
			f.tree[target+".zst"] = f.packed("zstd", source)
		}
	}
}

func (f *otherInitrd) packed(program, source string) images.File {
	f.t.Helper()
	out, err := exec.Command(program, "-c", source).Output()
	if err != nil {
		f.t.Fatalf("%s %s: %v", program, source, err)
	}
	return images.File{Mode: 0o644, Content: out}
}

// edit changes a file of the tree.
func (f *otherInitrd) edit(name string, change func([]byte) []byte) {
	f.t.Helper()
	name = path.Join("lib/modules", f.kernel.Release, name)
	data, err := os.ReadFile(f.tree[name].Source)
	if err != nil {
		f.t.Fatal(err)
	}
	f.tree[name] = images.File{Mode: 0o644, Content: change(bytes.Clone(data))}
}

// boot starts the machine. Without a NIC in the configuration its QEMU arguments add one.
func (f *otherInitrd) boot(r *rig, line string, c lab.MachineConfig) *lab.Machine {
	f.t.Helper()
	initrd := filepath.Join(f.t.TempDir(), "initrd.img")
	if err := images.WriteInitrd(initrd, maps.Clone(f.tree)); err != nil {
		f.t.Fatal(err)
	}
	kernel, err := f.kernel.Vmlinux()
	if err != nil {
		f.t.Fatal(err)
	}
	c.Kernel, c.Initrd, c.Append = kernel, initrd, "console=ttyS0 rd.debug "+line
	m, err := r.ns.StartMachine(r.ctx, c)
	if err != nil {
		f.t.Fatal(err)
	}
	times.watch(f.t, m)
	f.t.Cleanup(func() {
		if f.t.Failed() {
			f.t.Logf("console:\n%s", m.Output())
		}
	})
	return m
}

// nic is a machine with one PCI NIC.
func (r *rig) nic(model string) lab.MachineConfig {
	return lab.MachineConfig{NICs: []lab.NIC{{Model: model, Tap: r.tap}}}
}

// usbNIC is a machine whose only network is a USB adapter: QEMU's is of the class that cdc_ether
// drives.
func (r *rig) usbNIC() lab.MachineConfig {
	return lab.MachineConfig{Args: []string{
		"-netdev", "tap,id=usbnic,ifname=" + r.tap.Name() + ",script=no,downscript=no",
		"-device", "qemu-xhci", "-device", "usb-net,netdev=usbnic",
	}}
}

// checkNotShown checks that the console has never shown the texts.
func (r *rig) checkNotShown(m *lab.Machine, texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if strings.Contains(m.Output(), text) {
			r.t.Errorf("the console shows %q", text)
		}
	}
}
