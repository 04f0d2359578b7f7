//go:build linux

package main

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// showRootfs shows all that the kernel has unpacked: lines of name, mode, links, owner, group, time
// of change, numbers of a device, and the start of a hash of what is in a file or of a link's
// target.
func showRootfs() error {
	return filepath.WalkDir("/", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		var content []byte
		switch d.Type() {
		case 0:
			content, err = os.ReadFile(name)
		case fs.ModeSymlink:
			var target string
			target, err = os.Readlink(name)
			content = []byte(target)
		case fs.ModeDir:
			st.Nlink = 0 // it has those of what is in it
		}
		if err != nil {
			return err
		}
		say("rootfs: %q %o %d %d %d %d %d:%d %.4x", name, st.Mode, st.Nlink, st.Uid, st.Gid, st.Mtim.Sec,
			unix.Major(st.Rdev), unix.Minor(st.Rdev), sha256.Sum256(content))
		return nil
	})
}
