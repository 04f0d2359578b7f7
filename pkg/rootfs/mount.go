package rootfs

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/filesystem"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

func (st *Storage) mountConfig(c Volume) switchroot.MountConfig {
	return switchroot.MountConfig{Device: c.Path(), Dir: Sysroot, FSType: c.FSType, Options: st.Spec.Root.Flags.V}
}

// look reports whether a file system holds an init that can run.
func (st *Storage) look(ctx context.Context, c Volume) error {
	st.freeWhole(ctx, c)
	return st.eachType(ctx, c, func(c Volume) error {
		defer sequence.Blocking(ctx, "a look at the files of "+c.Name)()
		cfg := st.mountConfig(c)
		return explainMount(cfg, switchroot.Look(cfg, func(dir string) error {
			_, err := switchroot.FindInit(dir, c.Path(), st.inits())
			return err
		}))
	})
}

// Mount mounts root as it will be used, and /usr if that is elsewhere. It returns it with the type
// of its file system.
func (st *Storage) Mount(ctx context.Context, root Volume) (Volume, error) {
	if err := st.checkOverlay("/sys", root); err != nil {
		return root, err
	}
	st.warnDirty("root", root)
	st.freeWhole(ctx, root)
	err := st.eachType(ctx, root, func(c Volume) error {
		cfg := st.mountConfig(c)
		cfg.ReadWrite = st.Spec.Root.ReadWrite.V
		root.FSType = c.FSType
		defer sequence.Blocking(ctx, "mount of "+c.Name)()
		return explainMount(cfg, st.mountVolume("root", c, cfg))
	})
	if err != nil {
		return root, err
	}
	return root, st.mountUsr(ctx, root)
}

// freeWhole removes the partitions of a multipath map that is to be mounted as a whole, such as an
// ISO image with a partition table: they hold it, as those of a disk do not.
func (st *Storage) freeWhole(ctx context.Context, c Volume) {
	if c.Kind != blockdev.KindMultipath {
		return
	}
	if err := st.active.Deactivate(ctx, c.Name); err != nil {
		st.Log.Warnf("multipath map %s: its partitions: %v", c.Map, err)
	}
}

// warnDirty logs that a file system is not clean. A mount replays its journal unless the disk is
// read-only.
func (st *Storage) warnDirty(what string, c Volume) {
	text := c.Dirty
	if readOnly("/sys", c.Name) {
		text, _, _ = strings.Cut(text, ": mounting it replays")
	}
	if text != "" {
		st.Log.Warnf("%s %s (%s) %s", what, c.Path(), c.FSType, text)
	}
}

// explainMount adds a hint to errors of mount.
func explainMount(c switchroot.MountConfig, err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return sequence.WithHint(err, "the image has no driver for "+c.FSType+": build it with --fs "+c.FSType)
	case errors.Is(err, unix.EINVAL):
		return sequence.WithHint(err, "check rootfstype= and rootflags=; the kernel's message above has the cause")
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES):
		return sequence.WithHint(err, filesystem.ExplainReadOnly(c))
	case errors.Is(err, unix.EUCLEAN), errors.Is(err, unix.EIO):
		return sequence.WithHint(err, "the file system is damaged or the disk gives errors: check it at the target with fsck")
	}
	return err
}
