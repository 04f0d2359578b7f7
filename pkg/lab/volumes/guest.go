package volumes

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

//go:embed guest.sh
var script string

// guest is a machine that runs lvm2 and mdadm on disks.
type guest struct {
	lvm, mdadm *files
	busybox    string
	kernel     deps.Kernel
}

func newGuest() (*guest, error) {
	var g guest
	var err error
	if g.lvm, err = findFiles("lvm2", "lvm"); err != nil {
		return nil, err
	}
	if g.mdadm, err = findFiles("mdadm", "mdadm"); err != nil {
		return nil, err
	}
	if g.busybox, err = deps.Find("busybox", "busybox/bin/busybox"); err != nil {
		return nil, err
	}
	g.kernel, err = deps.FindKernel("amd64")
	return &g, err
}

// disk is what the guest calls the i-th of its disks.
func (g *guest) disk(i int) string { return "/dev/vd" + string(rune('a'+i)) }

// run runs the lines of boot in the guest, with the files of tree, and returns the facts that it
// has told.
func (g *guest) run(ctx context.Context, tree images.Tree, boot string, disks []string) (facts string, err error) {
	ns, err := lab.NewNamespace()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	tree["boot"] = images.Text(boot)
	if err := g.addTo(tree); err != nil {
		return "", err
	}
	initrd := filepath.Join(ns.Dir(), "initrd")
	if err := images.WriteInitrd(initrd, tree); err != nil {
		return "", err
	}
	vmlinux, err := g.kernel.Vmlinux()
	if err != nil {
		return "", err
	}
	var args []string
	for i, disk := range disks {
		args = append(args, "-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=%s", i, disk),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d", i))
	}
	m, err := ns.StartMachine(ctx, lab.MachineConfig{
		Kernel: vmlinux, Initrd: initrd, Append: "console=ttyS0 quiet loglevel=1 panic=-1", Args: args,
	})
	if err != nil {
		return "", err
	}
	if _, err := m.Wait(ctx); err != nil {
		return "", err
	}
	return factsOf(m.Output())
}

var errGuest = errors.New("the guest did not get to its end")

// factsOf are the guest's lines of facts, without their mark.
func factsOf(output string) (string, error) {
	if !strings.Contains(output, "\nguest: done\n") {
		return "", fmt.Errorf("%w; its console:\n%s", errGuest, output)
	}
	var b strings.Builder
	for line := range strings.Lines(output) {
		if fact, ok := strings.CutPrefix(line, "fact: "); ok {
			b.WriteString(fact)
		}
	}
	return b.String(), nil
}

// addTo adds what the guest consists of.
func (g *guest) addTo(t images.Tree) error {
	t["init"], t["bin/busybox"] = images.Script(script), images.Copy(g.busybox)
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "etc/lvm"} {
		t[dir] = images.Dir()
	}
	for _, name := range []string{"lvm", "dmsetup"} {
		if err := g.lvm.addProgram(t, "sbin/"+name); err != nil {
			return err
		}
	}
	if err := g.mdadm.addProgram(t, "sbin/mdadm"); err != nil {
		return err
	}
	return g.addModules(t)
}

// targets are the modules of device-mapper's targets, and of the levels of md.
var targets = []string{
	"virtio_pci", "virtio_blk", "dm_mod", "dm_raid", "md_mod", "linear", "raid0", "raid1", "raid10", "raid456",
	"dm_thin_pool", "dm_snapshot", "dm_cache", "dm_cache_smq", "crc32c_generic",
}

// addModules adds the modules of targets with an index of them, for the kernel to ask for.
func (g *guest) addModules(t images.Tree) error {
	dir := path.Join("lib/modules", g.kernel.Release)
	index, err := kmod.Read(os.DirFS(filepath.Join(g.kernel.ModulesRoot, dir)))
	if err != nil {
		return err
	}
	mods, err := index.Plan(targets...)
	if err != nil {
		return err
	}
	for _, m := range mods {
		t[path.Join(dir, m.Path)] = images.Copy(filepath.Join(g.kernel.ModulesRoot, dir, m.Path))
	}
	for _, f := range index.Subset(mods, func(path string) string { return path }).Files() {
		t[path.Join(dir, f.Name)] = images.File{Mode: 0o644, Content: f.Data}
	}
	return nil
}
