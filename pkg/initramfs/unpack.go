package initramfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Unpack writes what the kernel would make of an image into a directory, which is made if it is not
// there and has to be empty: so nothing is overwritten, and no link leads out of it. Without root's
// privilege everything belongs to the caller. Without it, and on systems other than Linux, no
// device nodes, FIFOs and sockets are made: their names are returned. Two names that the file
// system there does not distinguish are an error that wraps fs.ErrExist.
func Unpack(ctx context.Context, t *archive.Tree, dir string) (skipped []string, err error) {
	if err := emptyDir(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	defer root.Close()
	owner := os.Geteuid() == 0
	u := unpacker{root: root, owner: owner, nodes: owner && runtime.GOOS == "linux", bodies: map[any]string{}}
	names := t.Names() // sorted, so that a directory comes before what is in it
	for _, name := range names {
		n, _ := t.Lookup(name)
		if err := errors.Join(ctx.Err(), u.node(n)); err != nil {
			return u.skipped, fmt.Errorf("unpack %s into %s: %w", name, dir, cause(err))
		}
	}
	// Last, because a directory may forbid to write into it and its time changes when something
	// is.
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
	owner   bool // may change the owner of files
	nodes   bool // may make device nodes; on another system their numbers name other devices
	bodies  map[any]string
	skipped []string
}

// node writes one name. That it is there already means that the file system takes it for another
// one, as darwin's does with names that differ by case alone.
func (u *unpacker) node(n *archive.Node) error {
	err := u.make(n)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: this file system does not distinguish it from another name in the image: use one that is case-sensitive", cause(err))
	}
	return err
}

func (u *unpacker) make(n *archive.Node) error {
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
		if err := u.write(n); err != nil {
			return err
		}
	default:
		if !u.nodes {
			u.skipped = append(u.skipped, n.Name)
			return nil
		}
		if err := u.mknod(n); err != nil {
			return err
		}
	}
	return u.finish(n)
}

// write writes a regular file that is not there yet.
func (u *unpacker) write(n *archive.Node) error {
	f, err := u.root.OpenFile(n.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(n.Data()); err != nil {
		return err
	}
	return f.Close()
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
