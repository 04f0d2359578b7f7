package unpack

import (
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// mknod makes a device node, a FIFO or a socket.
func (u *unpacker) mknod(n *archive.Node) error {
	dir, err := u.root.Open(path.Dir(n.Name))
	if err != nil {
		return err
	}
	defer dir.Close()
	dev := unix.Mkdev(n.RMajor, n.RMinor)
	if err := unix.Mknodat(int(dir.Fd()), path.Base(n.Name), n.Mode, int(dev)); err != nil {
		return fmt.Errorf("mknod: %w", err)
	}
	return nil
}

// linkTime sets the time of a symbolic link itself.
func (u *unpacker) linkTime(n *archive.Node) error {
	dir, err := u.root.Open(path.Dir(n.Name))
	if err != nil {
		return err
	}
	defer dir.Close()
	when := unix.Timespec{Sec: int64(n.MTime)}
	return unix.UtimesNanoAt(int(dir.Fd()), path.Base(n.Name), []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
}
