//go:build linux

package initramfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Unpack writes what the kernel would make of an image into a directory, which is made if it is not there and has to
// be empty: so nothing is overwritten, and no link leads out of it. Who is not root gets everything as his own, and no
// device nodes: their names are returned.
func Unpack(ctx context.Context, t *archive.Tree, dir string) (skipped []string, err error) {
	if err := emptyDir(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	defer root.Close()
	u := unpacker{root: root, owner: os.Geteuid() == 0, bodies: map[any]string{}}
	names := t.Names() // sorted, so that a directory comes before what is in it
	for _, name := range names {
		n, _ := t.Lookup(name)
		if err := errors.Join(ctx.Err(), u.node(n)); err != nil {
			return u.skipped, fmt.Errorf("unpack %s into %s: %w", name, dir, cause(err))
		}
	}
	// Last, because a directory may forbid to write into it and its time changes when something is.
	for i := len(names) - 1; i >= 0; i-- {
		if n, _ := t.Lookup(names[i]); n.IsDir() {
			if err := u.finish(n); err != nil {
				return u.skipped, fmt.Errorf("unpack %s into %s: %w", names[i], dir, cause(err))
			}
		}
	}
	return u.skipped, nil
}

// emptyDir makes a directory, or sees that it is empty.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	if len(entries) > 0 {
		return fmt.Errorf("unpack into %s: the directory is not empty: name a new one", dir)
	}
	return nil
}

type unpacker struct {
	root    *os.Root
	owner   bool // may give files away and make devices
	bodies  map[any]string
	skipped []string
}

// node writes one name.
func (u *unpacker) node(n *archive.Node) error {
	switch n.Type() {
	case archive.TypeDir:
		return u.root.Mkdir(n.Name, 0o700)
	case archive.TypeSymlink:
		if err := u.root.Symlink(string(n.Data()), n.Name); err != nil || !u.owner {
			return err
		}
		return u.root.Lchown(n.Name, int(n.UID), int(n.GID))
	case archive.TypeRegular:
		if first, ok := u.bodies[n.File()]; ok {
			return u.root.Link(first, n.Name)
		}
		u.bodies[n.File()] = n.Name
		if err := u.root.WriteFile(n.Name, n.Data(), 0o600); err != nil {
			return err
		}
	default:
		if !u.owner {
			u.skipped = append(u.skipped, n.Name)
			return nil
		}
		if err := u.mknod(n); err != nil {
			return err
		}
	}
	return u.finish(n)
}

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

// finish gives a name its owner, permissions and time.
func (u *unpacker) finish(n *archive.Node) error {
	if u.owner {
		if err := u.root.Lchown(n.Name, int(n.UID), int(n.GID)); err != nil {
			return err
		}
	}
	mode := n.FileMode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if err := u.root.Chmod(n.Name, mode); err != nil {
		return err
	}
	when := time.Unix(int64(n.MTime), 0)
	return u.root.Chtimes(n.Name, when, when)
}
