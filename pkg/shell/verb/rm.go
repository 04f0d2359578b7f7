package verb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func rmVerb() Verb {
	return Verb{
		Name: "rm", Args: "[-rf] PATH...", Help: "remove files", Group: Files,
		More: "-r directories with all that is in them, -f ignore missing files",
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("rRf")
			if err != nil {
				return err
			}
			deep := o.has('r') || o.has('R')
			return each(ctx, args, func(path string) error {
				path = c.Path(path)
				info, err := os.Lstat(path)
				switch {
				case errors.Is(err, fs.ErrNotExist) && o.has('f'):
					return nil
				case err != nil:
					return err
				case info.IsDir() && filepath.Clean(path) == "/":
					return errors.New("/ cannot be removed")
				case info.IsDir() && deep:
					return os.RemoveAll(path)
				case info.IsDir():
					return fmt.Errorf("%s is a directory: use -r", path)
				}
				return os.Remove(path)
			})
		},
	}
}

func mkdirVerb() Verb {
	return Verb{Name: "mkdir", Args: "[-p] DIR...", Help: "make directories; -p: those above too", Group: Files, Run: func(ctx context.Context, c *Call) error {
		o, args, err := c.options("p")
		if err != nil {
			return err
		}
		return each(ctx, args, func(path string) error {
			if o.has('p') {
				return os.MkdirAll(c.Path(path), 0o755)
			}
			return os.Mkdir(c.Path(path), 0o755)
		})
	}}
}

func touchVerb() Verb {
	return Verb{Name: "touch", Args: "FILE...", Help: "make files, or set their times to now", Group: Files, Run: func(ctx context.Context, c *Call) error {
		return each(ctx, c.Args, func(path string) error {
			f, err := os.OpenFile(c.Path(path), os.O_WRONLY|os.O_CREATE, 0o644)
			if err != nil {
				return err
			}
			now := time.Now()
			return errors.Join(f.Close(), os.Chtimes(c.Path(path), now, now))
		})
	}}
}

func lnVerb() Verb {
	return Verb{Name: "ln", Args: "[-s] TARGET NAME", Help: "make a link; -s: a symbolic one", Group: Files, Run: func(_ context.Context, c *Call) error {
		o, args, err := c.options("sf")
		if err != nil {
			return err
		}
		if len(args) != 2 {
			return usage("needs a target and a name")
		}
		if o.has('f') {
			_ = os.Remove(c.Path(args[1]))
		}
		if o.has('s') {
			return os.Symlink(args[0], c.Path(args[1]))
		}
		return os.Link(c.Path(args[0]), c.Path(args[1]))
	}}
}
