package filesystem

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// NeedsReplay reports whether a mount failed because of a journal that had to be replayed on a disk
// that is read-only. ext4, xfs and f2fs return EROFS (fs/ext4/super.c: ext4_load_journal;
// fs/xfs/xfs_log.c: xfs_log_mount; fs/f2fs/super.c: f2fs_fill_super), btrfs EIO
// (fs/btrfs/disk-io.c: btrfs_replay_log).
func NeedsReplay(fstype string, err error, readOnly func() bool) bool {
	return errors.Is(err, unix.EROFS) || fstype == "btrfs" && errors.Is(err, unix.EIO) && readOnly()
}

// ExplainReadOnly returns a hint for a mount that failed because the disk is write-protected. If
// the mount is read-write, ro may be enough.
func ExplainReadOnly(cfg switchroot.MountConfig) string {
	if !cfg.ReadOnly() {
		return "the LUN is write-protected: write ro instead of rw, or allow writes at the target"
	}
	return "the LUN is write-protected, and the file system needs a repair: allow writes at the target once, or run fsck there"
}
