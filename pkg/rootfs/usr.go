package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// mountUsr mounts /usr if root's fstab has a file system for it: the init programs of today are in
// /usr. It is read-only as long as root is. A /usr that is not a block device or is noauto is left
// to the real system.
func (st *Storage) mountUsr(ctx context.Context, root Volume) error {
	defer sequence.Blocking(ctx, "reading the files of "+root.Name+", or mounting /usr")()
	entries, err := switchroot.ReadFstab(Sysroot)
	if err != nil {
		st.Log.Warnf("/usr is not mounted: %v", err)
		return nil
	}
	i := slices.IndexFunc(entries, func(e switchroot.Entry) bool { return e.Dir == "/usr" && !e.Has("noauto") })
	if i < 0 {
		return nil
	}
	e := entries[i]
	want, ok := bootspec.ParseDevice(e.Spec)
	if !ok {
		st.Log.Warnf("/usr on %s in root's etc/fstab is not a disk: leaving it to the real system", e.Spec)
		return nil
	}
	err = st.mountUsrFrom(ctx, e, want)
	if err != nil && !absent(err) { // that error names /usr itself
		err = fmt.Errorf("/usr: %w", err)
	}
	switch {
	case err != nil && e.Has("nofail"):
		st.Log.Warnf("%v", err)
	case err != nil:
		return fmt.Errorf("root's etc/fstab: %w", err)
	}
	return nil
}

// ofUsr changes an error of a search to one for /usr.
func ofUsr(err error) error {
	var missing *notFoundError
	if errors.As(err, &missing) {
		missing.what = "/usr"
	}
	return err
}

// findUsr finds /usr as root is found.
func (st *Storage) findUsr(ctx context.Context, want bootspec.Device, optional bool) (devices []*blockdev.Device, err error) {
	p := st.newRootSearch("/usr")
	f := finder{
		all: func() error {
			devices, err = st.search(ctx, kernelPaths, want)
			return ofUsr(err)
		},
		at: func(fresh []*blockdev.Device) error {
			devices, err = st.searchAt(ctx, kernelPaths, want, fresh)
			return ofUsr(err)
		},
	}
	err = st.whileTargetsCome(ctx, optional, func() error {
		err := p.try(ctx, f.all)
		if absent(err) {
			err = p.everywhere(ctx, err, f)
		}
		return err
	})
	return devices, err
}

func (st *Storage) mountUsrFrom(ctx context.Context, e switchroot.Entry, want bootspec.Device) error {
	dir := filepath.Join(Sysroot, "usr")
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return errors.New("not a directory") // the caller adds which
	}
	devices, err := st.findUsr(ctx, want, e.Has("nofail"))
	if err != nil {
		return err
	}
	c, err := probeAs(ctx, devices[0], strings.TrimPrefix(e.FSType, "auto"))
	if err != nil {
		return err
	}
	st.warnDirty("/usr", c)
	st.freeWhole(ctx, c)
	return st.eachType(ctx, c, func(c Volume) error {
		defer sequence.Blocking(ctx, "mount of "+c.Name)()
		cfg := switchroot.MountConfig{
			Device: c.Path(), Dir: dir, FSType: c.FSType,
			Options: e.MountOptions(), ReadWrite: st.Spec.Root.ReadWrite.V,
		}
		err := explainMount(cfg, st.mountVolume("/usr", c, cfg))
		if err == nil {
			st.Log.Infof("/usr is %s (%s)", c.Path(), c.FSType)
		}
		return err
	})
}
