//go:build linux

package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// makeSubvolume makes a subvolume @new of the btrfs that is root, and a root with this program in
// it.
func makeSubvolume() error {
	// include/uapi/linux/btrfs.h:
	//
	//	struct btrfs_ioctl_vol_args { __s64 fd; char name[BTRFS_PATH_NAME_MAX + 1]; }
	//	#define BTRFS_IOC_SUBVOL_CREATE _IOW(0x94, 14, struct btrfs_ioctl_vol_args)
	var args struct {
		_    int64
		name [4088]byte
	}
	const subvolCreate = 1<<30 | 4096<<16 | 0x94<<8 | 14
	copy(args.name[:], "@new")
	root, err := os.Open("/")
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), subvolCreate, uintptr(unsafe.Pointer(&args))); errno != 0 {
		return fmt.Errorf("create subvolume: %w", errno)
	}
	for _, dir := range []string{"sbin", "dev", "proc", "sys", "run"} {
		if err := os.Mkdir("/@new/"+dir, 0o755); err != nil {
			return err
		}
	}
	b, err := os.ReadFile("/sbin/init")
	if err != nil {
		return err
	}
	if err := os.WriteFile("/@new/sbin/init", b, 0o755); err != nil {
		return err
	}
	say("made subvolume @new")
	return nil
}
