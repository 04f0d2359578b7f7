package rootfs

import (
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/filesystem"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// mountVolume mounts what is "root" or "/usr". A journal that cannot be replayed, because the disk
// is read-only, is ignored by the file system's option for that. Only the kernel can tell whether a
// replay is needed: the first attempt is without the option.
func (st *Storage) mountVolume(what string, c Volume, cfg switchroot.MountConfig) error {
	err := switchroot.Mount(cfg)
	if !filesystem.NeedsReplay(c.FSType, err, func() bool { return readOnly("/sys", c.Name) }) {
		return err
	}
	without, ok := cfg.WithoutReplay()
	if !ok {
		return err
	}
	st.Log.Warnf("%s %s (%s): %v: mounted with %s without replaying its journal: recent writes are missing and it may be inconsistent: allow writes at the target once",
		what, c.Path(), c.FSType, unix.EROFS, fstypes.Of(c.FSType).NoReplay)
	return switchroot.Mount(without)
}

// readOnly reports whether the kernel regards a device as write-protected now: a target may change
// that.
func readOnly(sys, name string) bool {
	d, err := blockdev.Read(sys, name)
	return err == nil && d.ReadOnly
}
