package rootfs

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// mountVolume mounts what is "root" or "/usr". A journal that cannot be replayed, because the disk
// is read-only, is ignored by the file system's option for that. Only the kernel can tell whether a
// replay is needed: the first attempt is without the option.
func (st *Storage) mountVolume(what string, c Volume, cfg switchroot.MountConfig) error {
	err := switchroot.Mount(cfg)
	if !needsReplay(c, err) {
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

// needsReplay reports whether a mount failed because of a journal that had to be replayed on a disk
// that is read-only. ext4, xfs and f2fs return EROFS (fs/ext4/super.c: ext4_load_journal;
// fs/xfs/xfs_log.c: xfs_log_mount; fs/f2fs/super.c: f2fs_fill_super), btrfs EIO
// (fs/btrfs/disk-io.c: btrfs_replay_log).
func needsReplay(c Volume, err error) bool {
	return errors.Is(err, unix.EROFS) || c.FSType == "btrfs" && errors.Is(err, unix.EIO) && readOnly("/sys", c.Name)
}

// readOnly reports whether the kernel regards a device as write-protected now: a target may change
// that.
func readOnly(sys, name string) bool {
	d, err := blockdev.Read(sys, name)
	return err == nil && d.ReadOnly
}

// explainReadOnly returns a hint for a mount that failed because the disk is write-protected. If
// the mount is read-write, ro may be enough.
func explainReadOnly(cfg switchroot.MountConfig) string {
	if !cfg.ReadOnly() {
		return "the LUN is write-protected: write ro instead of rw, or allow writes at the target"
	}
	return "the LUN is write-protected, and the file system needs a repair: allow writes at the target once, or run fsck there"
}
