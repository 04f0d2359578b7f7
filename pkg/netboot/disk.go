package netboot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// disk is what an update does to a directory. Names are relative to it.
type disk interface {
	exists(name string) (bool, error)
	read(name string) ([]byte, error)
	write(name string, data []byte, a attr) error // in place of what has its name
	mkdir(name string, mode fs.FileMode) error    // and the directories above it
	set(name string, a attr) error                // of a file or directory that is there
	link(old, name string) error
	rename(old, name string) error
	remove(name string) error // of a file; none is no error
	rmdir(name string)        // of a directory if it is empty
	sync(name string) error   // of a file or directory: fsync(2)
}

// attr is what a file or directory has beside its content.
type attr struct {
	mode  fs.FileMode // 0: as it is
	like  string      // its owner is that of the file of this name, if there is one
	owner Owner       // takes it over after that
}

// rootDisk is a disk that no link leads out of.
type rootDisk struct{ root *os.Root }

func (d rootDisk) exists(name string) (bool, error) {
	_, err := d.root.Lstat(name)
	if err != nil && isAbsent(err) {
		return false, nil
	}
	return err == nil, err
}

// read reads a regular file of maxOld bytes at most. O_NONBLOCK is for a FIFO in its place.
func (d rootDisk) read(name string) ([]byte, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxOld {
		return nil, errors.Join(err, fmt.Errorf("%s: not a regular file of %d bytes at most", name, maxOld))
	}
	return io.ReadAll(io.LimitReader(f, maxOld))
}

func (d rootDisk) write(name string, data []byte, a attr) error {
	if err := d.remove(name); err != nil {
		return err
	}
	out, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write(data); err != nil {
		return err
	}
	if st, err := d.root.Stat(a.like); err == nil {
		if own, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = out.Chown(int(own.Uid), int(own.Gid)) // only root can
		}
	}
	st, err := out.Stat()
	if err != nil {
		return err
	}
	if err := a.owner.take(st, out.Chown); err != nil {
		return err
	}
	if err := out.Chmod(a.mode); err != nil {
		return err
	}
	return out.Close()
}

func (d rootDisk) mkdir(name string, mode fs.FileMode) error { return d.root.MkdirAll(name, mode) }

func (d rootDisk) set(name string, a attr) error {
	st, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	if err := a.owner.take(st, func(uid, gid int) error { return d.root.Lchown(name, uid, gid) }); err != nil {
		return err
	}
	if a.mode == 0 || st.Mode().Perm() == a.mode {
		return nil
	}
	return d.root.Chmod(name, a.mode)
}

// link keeps a file under another name. Where the file system has no hard links, and where the
// kernel does not let this user make one (fs.protected_hardlinks in proc_sys_fs(5)), that is a
// copy.
func (d rootDisk) link(old, name string) error {
	if err := d.remove(name); err != nil {
		return err
	}
	if d.root.Link(old, name) == nil {
		return nil
	}
	st, err := d.root.Stat(old)
	if err != nil {
		return err
	}
	data, err := d.read(old)
	if err != nil {
		return err
	}
	return d.write(name, data, attr{mode: st.Mode().Perm(), like: old})
}

func (d rootDisk) rename(old, name string) error { return d.root.Rename(old, name) }

func (d rootDisk) remove(name string) error {
	if err := d.root.Remove(name); err != nil && !isAbsent(err) {
		return err
	}
	return nil
}

// isAbsent tells whether an error is that there is no such file, or that a file is where its
// directory would be.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (d rootDisk) rmdir(name string) {
	_ = d.root.Remove(path.Clean(name)) // one that is not empty stays
}

func (d rootDisk) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // not for directories
		return err
	}
	return nil
}
