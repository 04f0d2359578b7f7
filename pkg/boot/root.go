package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// candidate is a device that may be root.
type candidate struct {
	blockdev.Device
	FSType string
}

// inits are the programs to look for.
func (m *Machine) inits() []string {
	if m.Plan.Init.Given() {
		return []string{m.Plan.Init.V}
	}
	return switchroot.DefaultInits()
}

// findRoot decides which device is root and what file system it holds.
func (m *Machine) findRoot(context.Context) error {
	candidates, err := m.candidates("/sys")
	if err != nil {
		return err
	}
	if len(candidates) == 1 && m.spec.Root.Device.Given() {
		c, err := m.probe(candidates[0])
		m.root = c
		return err
	}
	// Which one it is must be seen by looking inside.
	var seen []string
	for _, d := range candidates {
		c, err := m.probe(d)
		if err == nil {
			err = m.look(c)
		}
		if err == nil {
			m.root = c
			m.Log.Infof("root is %s (%s): it holds an init", c.Path(), c.FSType)
			return nil
		}
		seen = append(seen, err.Error())
	}
	return withHint(fmt.Errorf("no file system with an init on %s: %s", m.sessionNames(), strings.Join(seen, "; ")),
		"name it with root=/dev/sdXN, and the program with init=PATH")
}

// candidates lists the devices that may be root, the likeliest first. A named
// device is looked for on the disk of that letter; the first letter stands for
// whichever disk holds it, if the LUN was left open and there are several. sys
// is the mount point of sysfs.
func (m *Machine) candidates(sys string) ([]blockdev.Device, error) {
	want := m.spec.Root.Device
	var out []blockdev.Device
	var have []string
	for i, d := range m.disks {
		whole, parts, err := blockdev.Disk(sys, d.Name)
		if err != nil {
			return nil, err
		}
		devices := append([]blockdev.Device{whole}, parts...)
		for _, dev := range devices {
			have = append(have, fmt.Sprintf("%s (%d MiB)", dev.Name, dev.Size>>20))
		}
		switch {
		case !want.Given():
			out = append(out, likely(whole, parts)...)
		case want.V.Disk == i || want.V.Disk == 0:
			for _, dev := range devices {
				if dev.Partition == want.V.Partition {
					out = append(out, dev)
				}
			}
		}
	}
	if want.Given() && len(out) == 0 {
		return nil, withHint(fmt.Errorf("root %s: the disks of our sessions have no such device", want.V),
			"correct root=: there is "+strings.Join(have, ", "))
	}
	return out, nil
}

// likely orders a disk's devices: partition 2, where the HOWTO has root, the
// other partitions, the whole disk.
func likely(whole blockdev.Device, parts []blockdev.Device) []blockdev.Device {
	var second, rest []blockdev.Device
	for _, p := range parts {
		if p.Partition == 2 {
			second = append(second, p)
		} else {
			rest = append(rest, p)
		}
	}
	return append(append(second, rest...), whole)
}

// probe finds a device's file system, unless rootfstype= names it.
func (m *Machine) probe(d blockdev.Device) (candidate, error) {
	if t := m.spec.Root.FSType; t.Given() {
		return candidate{d, t.V}, nil
	}
	fs, err := blockdev.ProbeDevice(d.Path())
	return candidate{d, fs.Type}, err
}

func (m *Machine) mountConfig(c candidate) switchroot.MountConfig {
	return switchroot.MountConfig{Device: c.Path(), Dir: sysroot, FSType: c.FSType}
}

// look tells whether a file system holds an init that can run.
func (m *Machine) look(c candidate) error {
	return explainMount(c, switchroot.Look(m.mountConfig(c), func(dir string) error {
		_, err := switchroot.FindInit(dir, c.Path(), m.inits())
		return err
	}))
}

// mountRoot mounts root as it will be used.
func (m *Machine) mountRoot(context.Context) error {
	cfg := m.mountConfig(m.root)
	cfg.ReadWrite = m.spec.Root.ReadWrite.V
	cfg.Options = m.spec.Root.Flags.V
	if err := switchroot.Mount(cfg); err != nil {
		return explainMount(m.root, err)
	}
	return nil
}

// explainMount adds what to do about errors of mount that say little.
func explainMount(c candidate, err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return withHint(err, "the image has no driver for "+c.FSType+": build it with --fs "+c.FSType)
	case errors.Is(err, unix.EINVAL):
		return withHint(err, "check rootfstype= and rootflags=; the kernel's line above says what it did not like")
	case errors.Is(err, unix.EUCLEAN), errors.Is(err, unix.EIO):
		return withHint(err, "the file system is damaged or the disk gives errors: check it at the target with fsck")
	}
	return err
}

// checkRoot makes sure that the real system can start before the initramfs is
// given up.
func (m *Machine) checkRoot(context.Context) error {
	var err error
	if m.initPath, err = switchroot.FindInit(sysroot, m.root.Path(), m.inits()); err != nil {
		if m.Plan.Init.Given() {
			return withHint(err, "correct init=")
		}
		return withHint(err, "is this the root file system? correct root=, or name the program with init=PATH")
	}
	if m.mounts, err = switchroot.MountPoints(sysroot, m.root.Path()); err != nil {
		return withHint(err, "or boot once with rw, so that they can be made")
	}
	return nil
}
