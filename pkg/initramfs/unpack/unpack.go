// Package unpack writes the files of an initramfs into a directory.
package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Into writes the files that the kernel would make of an image into a directory, which is made if
// it does not exist and has to be empty: so nothing is overwritten, and no link leads out of it.
// Without root's privilege everything belongs to the caller and no device nodes are made; on
// systems other than Linux neither they nor FIFOs and sockets are. What is left out is returned,
// with the reason. What is in files goes from the image to the disk. Two names that the file system
// there does not distinguish are an error that wraps fs.ErrExist. After an error the directory is
// as it was.
func Into(ctx context.Context, t *archive.Tree, dir string) (skipped []string, err error) {
	made, err := outfile.MkdirAll(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	defer made.Keep()
	defer func() {
		if err != nil {
			made.Remove()
		}
	}()
	if err := isEmpty(dir); err != nil {
		return nil, fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	release, err := outfile.Register(ctx, func() { clearDir(dir) }) // runs before the directory is removed
	if err != nil {
		return nil, err
	}
	defer release()
	defer func() {
		if err != nil {
			clearDir(dir)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("unpack into %s: %w", dir, cause(err))
	}
	defer root.Close()
	u := newUnpacker(ctx, root, runtime.GOOS == "linux")
	for _, step := range []func(*archive.Tree) error{u.names, u.contents, u.attributes} {
		if err := step(t); err != nil {
			return u.skipped, fmt.Errorf("unpack %sinto %s: %w", u.at, dir, cause(err))
		}
	}
	return u.skipped, nil
}

// isEmpty returns an error if a directory has entries.
func isEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("the directory is not empty: name a new one")
	}
	return err
}

// clearDir removes what is in a directory, as far as it can.
func clearDir(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name != dir {
			_ = os.Chmod(name, 0o700) // the image's mode may forbid to look into it
		}
		return nil
	})
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}

type unpacker struct {
	ctx     context.Context
	root    *os.Root
	owner   bool           // may change the owner of files, and make devices
	linux   bool           // numbers of devices name on another system other devices
	files   map[any]string // the name of each file that was made
	left    map[string]bool
	skipped []string
	at      string // the name that is written, and a blank
}

func newUnpacker(ctx context.Context, root *os.Root, linux bool) *unpacker {
	return &unpacker{ctx: ctx, root: root, owner: os.Geteuid() == 0, linux: linux, files: map[any]string{}, left: map[string]bool{}}
}

// each calls f for all names.
func (u *unpacker) each(t *archive.Tree, f func(*archive.Node) error) (err error) {
	t.All(func(n *archive.Node) bool {
		u.at = words.Plain(n.Name) + " "
		err = errors.Join(u.ctx.Err(), f(n))
		return err == nil
	})
	return err
}

// names makes all names, and leaves files empty.
func (u *unpacker) names(t *archive.Tree) error { return u.each(t, u.node) }

// contents writes what is in files.
func (u *unpacker) contents(t *archive.Tree) error {
	return t.Contents(func(n *archive.Node, r io.Reader) error {
		u.at = words.Plain(n.Name) + " "
		f, err := u.root.OpenFile(u.files[n.File()], os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.Copy(f, ctxReader{u.ctx, r}); err != nil {
			return err
		}
		return f.Close()
	})
}

// ctxReader is a reader until a context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// attributes gives all names their owners, permissions and times: last, because a directory may
// forbid to write into it, and its time changes when something is; and what is in a directory
// before the directory.
func (u *unpacker) attributes(t *archive.Tree) error {
	var open []*archive.Node // directories that are not finished
	finish := func(below string) error {
		for len(open) > 0 {
			d := open[len(open)-1]
			if below != "" && strings.HasPrefix(below, d.Name+"/") {
				return nil
			}
			open = open[:len(open)-1]
			if err := u.finish(d); err != nil {
				return err
			}
		}
		return nil
	}
	err := u.each(t, func(n *archive.Node) error {
		if err := finish(n.Name); err != nil || u.left[n.Name] {
			return err
		}
		if n.IsDir() {
			open = append(open, n)
			return nil
		}
		return u.finish(n)
	})
	if err != nil {
		return err
	}
	if err := finish(""); err != nil {
		return err
	}
	if n, ok := t.Lookup("."); ok && t.RootSet {
		return u.finish(n)
	}
	return nil
}

// skip leaves a name out.
func (u *unpacker) skip(n *archive.Node, why string) error {
	u.left[n.Name] = true
	u.skipped = append(u.skipped, words.Plain(n.Name)+": "+why)
	return nil
}

// node makes one name. If it exists already, the file system does not distinguish it from another
// one, as darwin's with names that differ by case alone.
func (u *unpacker) node(n *archive.Node) error {
	err := u.make(n)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: this file system does not distinguish it from another name in the image: use one that is case-sensitive", cause(err))
	}
	return err
}

func (u *unpacker) make(n *archive.Node) error {
	if first, ok := u.files[n.File()]; ok {
		return u.root.Link(first, n.Name)
	}
	switch n.Type() {
	case archive.TypeDir:
		return u.root.Mkdir(n.Name, 0o700)
	case archive.TypeSymlink:
		if len(n.Data()) == 0 {
			return u.skip(n, "a symbolic link without a target, which only the kernel can make")
		}
		if err := u.root.Symlink(string(n.Data()), n.Name); err != nil {
			return err
		}
	case archive.TypeRegular:
		f, err := u.root.OpenFile(n.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	default:
		if why := u.noNode(n); why != "" {
			return u.skip(n, why)
		}
		if err := u.mknod(n); err != nil {
			return err
		}
	}
	u.files[n.File()] = n.Name
	return nil
}

// noNode returns why a device node, a FIFO or a socket cannot be made; empty if it can.
func (u *unpacker) noNode(n *archive.Node) string {
	device := n.Type() == archive.TypeBlock || n.Type() == archive.TypeChar
	switch {
	case device && !(u.owner && u.linux):
		return "only root on Linux can make device nodes"
	case !u.linux:
		return "FIFOs and sockets are made on Linux alone"
	}
	return ""
}

// finish gives a name its owner, permissions and time.
func (u *unpacker) finish(n *archive.Node) error {
	if u.owner {
		if err := u.root.Lchown(n.Name, int(n.UID), int(n.GID)); err != nil {
			return err
		}
	}
	if n.Type() == archive.TypeSymlink { // its permissions mean nothing
		return u.linkTime(n)
	}
	mode := n.FileMode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if err := u.root.Chmod(n.Name, mode); err != nil {
		return err
	}
	when := time.Unix(int64(n.MTime), 0)
	return u.root.Chtimes(n.Name, when, when)
}

// cause drops the path of an *fs.PathError, for a message that has named it.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
