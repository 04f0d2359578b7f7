package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"

	"github.com/u-root/u-root/pkg/cpio"
)

// entry is one name in the image.
type entry struct {
	mode         uint64 // type and permissions, as in struct stat
	major, minor uint64 // of a device
	// data returns the content; nil for what has none. It is called when the entry is written,
	// one at a time, so that an image larger than memory's share is no problem.
	data func() ([]byte, error)
	// source is a file on this host that is copied in place of data, so that its size does not
	// matter.
	source string
	size   int64 // bytes of data, as far as known; for the summary and the progress

	userFile bool // one of the user's files, which may hold a secret
	private  bool // not all users of this host may read it
}

func (e entry) isDir() bool { return e.mode&cpio.S_IFMT == cpio.S_IFDIR }

// tree is an image in the making, by path without the leading slash.
type tree map[string]entry

// content is the data function of bytes that are at hand.
func content(b []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return b, nil }
}

// newTree returns what every image has apart from init, modules and the user's files. Without the
// two nodes the Go runtime ends init before main: it needs open standard streams. There is no
// /sbin/modprobe: the kernel would run it several times for missing modules before it runs init,
// which makes the link when there is something to answer.
func newTree() tree {
	t := tree{}
	for _, dir := range []string{"bin", "dev", "etc", "lib", "proc", "run", "sbin", "sys", "sysroot"} {
		t[dir] = entry{mode: cpio.S_IFDIR | 0o755}
	}
	t["root"] = entry{mode: cpio.S_IFDIR | 0o700}
	t["tmp"] = entry{mode: cpio.S_IFDIR | cpio.S_ISVTX | 0o777}
	// Documentation/admin-guide/devices.txt: 5 char, 1 = /dev/console; 1 char, 3 = /dev/null.
	t["dev/console"] = entry{mode: cpio.S_IFCHR | 0o600, major: 5, minor: 1}
	t["dev/null"] = entry{mode: cpio.S_IFCHR | 0o666, major: 1, minor: 3}
	return t
}

// add puts an entry at name and directories above it. Only a directory may be there twice.
func (t tree) add(name string, e entry) error {
	clean := cpio.Normalize(path.Clean("/" + name))
	if clean == "." {
		return fmt.Errorf("add %q: it is the root directory", name)
	}
	if old, ok := t[clean]; ok && !(old.isDir() && e.isDir()) {
		return fmt.Errorf("add /%s: %w", clean, fs.ErrExist)
	}
	for dir := path.Dir(clean); dir != "."; dir = path.Dir(dir) {
		if old, ok := t[dir]; ok && !old.isDir() {
			return fmt.Errorf("add /%s: /%s: %w", clean, dir, syscall.ENOTDIR)
		} else if !ok {
			t[dir] = entry{mode: cpio.S_IFDIR | 0o755}
		}
	}
	t[clean] = e
	return nil
}

// addFile puts one of the user's files into the image.
func (t tree) addFile(f File) error {
	mode, err := f.entryMode()
	if err != nil {
		return err
	}
	e := entry{mode: mode, data: content(f.Data), size: int64(len(f.Data)), userFile: true, private: f.Source != "" && private(f.Source)}
	if f.Source != "" {
		e.data, e.source, e.size = nil, f.Source, fileSize(f.Source)
	}
	err = t.add(f.Path, e)
	if errors.Is(err, fs.ErrExist) && path.Clean("/"+f.Path) == "/init" {
		return errors.New("add /init: init cannot be replaced by a file; choose another init program instead")
	}
	return err
}

// entryMode returns the type and permissions of a file in struct stat's terms.
func (f File) entryMode() (uint64, error) {
	mode := f.Mode
	if f.Source != "" && mode == 0 {
		var err error
		if mode, err = regularMode(f.Source); err != nil {
			return 0, err
		}
	}
	bits := uint64(mode.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		bit  uint64
	}{{fs.ModeSetuid, cpio.S_ISUID}, {fs.ModeSetgid, cpio.S_ISGID}, {fs.ModeSticky, cpio.S_ISVTX}} {
		if mode&b.mode != 0 {
			bits |= b.bit
		}
	}
	switch mode.Type() {
	case 0:
		return cpio.S_IFREG | bits, nil
	case fs.ModeSymlink:
		return cpio.S_IFLNK | 0o777, nil
	}
	return 0, fmt.Errorf("add %s: neither a regular file nor a symbolic link", f.Path)
}

// names returns all paths in the order in which they are written. Sorted, a directory comes before
// what is in it.
func (t tree) names() []string { return slices.Sorted(maps.Keys(t)) }
