package verb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func cpVerb() Verb {
	return Verb{
		Name: "cp", Args: "[-a] SOURCE... TARGET", Help: "copy files", Group: Files,
		More: "-a, -r, -R directories with all that is in them; modes are copied, times and owners are not",
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("arRpf")
			if err != nil {
				return err
			}
			deep := o.has('a') || o.has('r') || o.has('R')
			return c.intoTarget(ctx, args, func(from, to string) error { return c.copyTree(ctx, from, to, deep) })
		},
	}
}

func mvVerb() Verb {
	return Verb{Name: "mv", Args: "SOURCE... TARGET", Help: "move or rename files", Group: Files, Run: func(ctx context.Context, c *Call) error {
		_, args, err := c.options("f")
		if err != nil {
			return err
		}
		return c.intoTarget(ctx, args, func(from, to string) error {
			err := os.Rename(from, to)
			if !errors.Is(err, unix.EXDEV) {
				return err
			}
			if err := c.copyTree(ctx, from, to, true); err != nil {
				return err
			}
			return os.RemoveAll(from)
		})
	}}
}

// intoTarget calls f for each source with its destination: inside the target if that is a
// directory, which several sources require.
func (c *Call) intoTarget(ctx context.Context, args []string, f func(from, to string) error) error {
	if len(args) < 2 {
		return usage("needs a source and a target")
	}
	target := c.Path(args[len(args)-1])
	sources := args[:len(args)-1]
	info, err := os.Stat(target)
	isDir := err == nil && info.IsDir()
	if len(sources) > 1 && !isDir {
		return fmt.Errorf("%s is not a directory", target)
	}
	return each(ctx, sources, func(from string) error {
		from, to := c.Path(from), target
		if isDir {
			to = filepath.Join(target, filepath.Base(from))
		}
		return f(from, to)
	})
}

// copyTree copies a file, or a directory if deep, with modes and links.
func (c *Call) copyTree(ctx context.Context, from, to string, deep bool) error {
	stat := os.Stat
	if deep {
		stat = os.Lstat
	}
	info, err := stat(from)
	if err != nil {
		return err
	}
	if there, err := os.Stat(to); err == nil && os.SameFile(info, there) {
		return fmt.Errorf("%s and %s are the same file", from, to)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsDir() && !deep:
		return fmt.Errorf("%s is a directory: use -a", from)
	case mode.IsDir():
		return c.copyDir(ctx, from, to, mode.Perm())
	case mode&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		_ = os.Remove(to)
		return os.Symlink(link, to)
	case mode&(fs.ModeDevice|fs.ModeNamedPipe) != 0 && deep:
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: neither a file, a directory, a link nor a device", from)
		}
		return unix.Mknod(to, st.Mode, int(st.Rdev))
	}
	return copyFile(ctx, from, to, info.Mode().Perm())
}

func (c *Call) copyDir(ctx context.Context, from, to string, perm fs.FileMode) error {
	if to == from || strings.HasPrefix(to, from+"/") {
		return fmt.Errorf("%s is inside of %s", to, from)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, perm|0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, c.copyTree(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), true))
	}
	return errors.Join(errs...)
}

func copyFile(ctx context.Context, from, to string, perm fs.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, &contextReader{ctx, in})
	return err
}
