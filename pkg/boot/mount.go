package boot

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

func (m *Machine) mountConfig(c volume) switchroot.MountConfig {
	return switchroot.MountConfig{Device: c.Path(), Dir: sysroot, FSType: c.FSType, Options: m.spec.Root.Flags.V}
}

// look tells whether a file system holds an init that can run.
func (m *Machine) look(ctx context.Context, c volume) error {
	return m.eachType(ctx, c, func(c volume) error {
		defer doing(ctx, "a look at the files of "+c.Name)()
		cfg := m.mountConfig(c)
		return explainMount(cfg, switchroot.Look(cfg, func(dir string) error {
			_, err := switchroot.FindInit(dir, c.Path(), m.inits())
			return err
		}))
	})
}

// mountRoot mounts root as it will be used, and /usr if that is elsewhere.
func (m *Machine) mountRoot(ctx context.Context) error {
	if m.adopted {
		return nil // a person mounted it
	}
	if err := m.checkOverlay("/sys"); err != nil {
		return err
	}
	m.sayDirty("root", m.root)
	err := m.eachType(ctx, m.root, func(c volume) error {
		cfg := m.mountConfig(c)
		cfg.ReadWrite = m.spec.Root.ReadWrite.V
		m.root.FSType = c.FSType
		defer doing(ctx, "mount of "+c.Name)()
		return explainMount(cfg, m.mountVolume("root", c, cfg))
	})
	if err != nil {
		return err
	}
	return m.mountUsr(ctx)
}

// sayDirty tells what no fsck was run for. What a mount does about it, it does not
// do where the disk is read-only.
func (m *Machine) sayDirty(what string, c volume) {
	text := c.Dirty
	if readOnly("/sys", c.Name) {
		text, _, _ = strings.Cut(text, ": mounting it replays")
	}
	if text != "" {
		m.Log.Warnf("%s %s (%s) %s", what, c.Path(), c.FSType, text)
	}
}

// explainMount adds what to do about errors of mount that say little.
func explainMount(c switchroot.MountConfig, err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return withHint(err, "the image has no driver for "+c.FSType+": build it with --fs "+c.FSType)
	case errors.Is(err, unix.EINVAL):
		return withHint(err, "check rootfstype= and rootflags=; the kernel's message above has the cause")
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES):
		return withHint(err, explainReadOnly(c))
	case errors.Is(err, unix.EUCLEAN), errors.Is(err, unix.EIO):
		return withHint(err, "the file system is damaged or the disk gives errors: check it at the target with fsck")
	}
	return err
}
