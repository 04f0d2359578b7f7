package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// ours is the name of what is measured, dhcp that of the same with an address by DHCP.
const (
	ours = "ours"
	dhcp = "dhcp"
)

// candidate is a kind of initramfs. tree is nil for ours, which pkg/initramfs makes, and for those
// of full.
type candidate struct {
	name  string
	what  string
	tree  func(k *kit) (images.Tree, error)
	pack  initramfs.Compression
	steps bool // it logs its steps with rd.debug
}

var candidates = []candidate{
	{ours, "this project", nil, initramfs.Zstd, true},
	{dhcp, "this project, the address by DHCP", nil, initramfs.Zstd, true},
	{"limit", "C, the modules known, iscsistart without its sleep", limitTree, initramfs.Zstd, true},
	{"floor-nosleep", "busybox, the modules known, iscsistart without its sleep", func(k *kit) (images.Tree, error) { return floorTree(k, true) }, initramfs.Zstd, true},
	{"floor", "busybox, the modules known, iscsistart", func(k *kit) (images.Tree, error) { return floorTree(k, false) }, initramfs.Zstd, false},
	{"seed", "the HOWTO: bash, insmod, ifconfig, iscsistart", seedTree, initramfs.Gzip, false},
}

// chosen are the candidates that -only leaves, ours first.
func (s *stage) chosen() ([]candidate, error) {
	all := candidates
	if s.full {
		all = slices.Concat(candidates, full)
	}
	if s.only == nil {
		return all, nil
	}
	for _, name := range s.only {
		if !slices.ContainsFunc(all, func(c candidate) bool { return c.name == name }) {
			return nil, fmt.Errorf("-only %s: there is no such initramfs", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return !slices.Contains(s.only, c.name) }), nil
}

// kit is what an image is made of.
type kit struct {
	modules  modules
	packages packages
	native   map[string]string
	busybox  string
}

func (s *stage) newKit(ctx context.Context, n nic) (*kit, error) {
	k := &kit{native: s.native}
	var err error
	if k.packages, err = openPackages(); err != nil {
		return nil, err
	}
	if k.busybox, err = busyboxPath(); err != nil {
		return nil, err
	}
	k.modules, err = s.findModules(ctx, n)
	return k, err
}

func (s *stage) ourConfig(n nic) initramfs.Config {
	return initramfs.Config{
		Root: s.kernel.ModulesRoot, KernelVersion: s.kernel.Release, PackedInit: s.packed,
		NICs: []string{n.driver}, FileSystems: []string{"ext4"},
	}
}

// limitTree is the least there can be, with one process besides init.
func limitTree(k *kit) (images.Tree, error) {
	t := images.Tree{"init": images.Copy(k.native["limit"]), "lib/sleepless.so": images.Copy(k.native["sleepless"])}
	addDirectories(t)
	var list strings.Builder
	for _, group := range k.modules.groups("nic", "iscsi", "fs") {
		for _, file := range group.files {
			fmt.Fprintf(&list, "/%s\n", inImage(file))
		}
		fmt.Fprintf(&list, "step %s\n", group.name)
	}
	t["modules"] = images.Text(list.String())
	k.modules.addTo(t)
	return t, k.packages.addTo(t, "", "iscsistart")
}

// floorTree is the least that a shell script can do.
func floorTree(k *kit, sleepless bool) (images.Tree, error) {
	t := images.Tree{"bin/busybox": images.Copy(k.busybox)}
	addDirectories(t)
	for _, applet := range []string{"sh", "mount", "insmod", "ifconfig", "usleep", "switch_root"} {
		t["bin/"+applet] = images.Symlink("busybox")
	}
	preload := ""
	if sleepless {
		preload = "LD_PRELOAD=/lib/sleepless.so "
		t["lib/sleepless.so"] = images.Copy(k.native["sleepless"])
	}
	var err error
	if t["init"], err = k.script("floor.sh", "insmod /@path@\n", "step @name@\n", preload); err != nil {
		return nil, err
	}
	k.modules.addTo(t)
	return t, k.packages.addTo(t, "", "iscsistart")
}

// seedTree is the HOWTO's, with the modules of one network card, as it advises, and without the
// programs that only a person in its shell would type.
func seedTree(k *kit) (images.Tree, error) {
	t := images.Tree{"sbin": images.Symlink("bin")}
	addDirectories(t)
	for minor, name := range []string{"sda", "sda1", "sda2"} {
		t["dev/"+name] = images.File{Mode: fs.ModeDevice | 0o600, Major: 8, Minor: uint32(minor)}
	}
	var err error
	if t["init"], err = k.script("seed.sh", "echo \"Loading @name@ module\"\ninsmod /@path@\n", "", ""); err != nil {
		return nil, err
	}
	k.modules.addTo(t)
	return t, k.packages.addTo(t, "lib", "bash", "cat", "chroot", "echo", "ifconfig", "insmod", "iscsistart", "mount", "sleep")
}

// script fills in a script's @marks@: a line from load for each module, with its path and its name,
// and one from step after each group.
func (k *kit) script(name, load, step, preload string) (images.File, error) {
	text, err := guest.ReadFile("guest/" + name)
	if err != nil {
		return images.File{}, err
	}
	marks := []string{"@preload@", preload}
	for _, group := range k.modules.groups("nic", "iscsi", "fs") {
		var b strings.Builder
		for _, file := range group.files {
			b.WriteString(strings.NewReplacer("@path@", inImage(file), "@name@", filepath.Base(file)).Replace(load))
		}
		b.WriteString(strings.ReplaceAll(step, "@name@", group.name))
		marks = append(marks, "@"+group.name+"@\n", b.String())
	}
	return images.Script(strings.NewReplacer(marks...).Replace(string(text))), nil
}

// group is a step that loads modules.
type group struct {
	name  string
	files []string
}

func (m modules) groups(names ...string) []group {
	all := map[string][]string{"nic": m.nic, "iscsi": m.iscsi, "fs": m.fs}
	var out []group
	for _, name := range names {
		out = append(out, group{name, all[name]})
	}
	return out
}

func addDirectories(t images.Tree) {
	for _, dir := range []string{"proc", "sys", "dev", "sysroot", "etc"} {
		t[dir] = images.Dir()
	}
}
