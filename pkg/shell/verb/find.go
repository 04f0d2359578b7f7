package verb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func findVerb() Verb {
	return Verb{
		Name: "find", Args: "[DIR...] [-name PATTERN] [-type f|d|l|b|c] [-maxdepth N]", Help: "find files below directories", Group: Files,
		Run: func(ctx context.Context, c *Call) error {
			f, err := parseFind(c.Args)
			if err != nil {
				return err
			}
			return each(ctx, f.dirs, func(dir string) error { return f.walk(ctx, c, dir, 0) })
		},
	}
}

type finder struct {
	dirs  []string
	name  string
	kind  string
	depth int // -1: any
}

func parseFind(args []string) (finder, error) {
	f := finder{depth: -1}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !strings.HasPrefix(arg, "-") {
			f.dirs = append(f.dirs, arg)
			continue
		}
		if arg == "-print" {
			continue
		}
		if len(args) == 0 {
			return f, usage("%s needs a value", arg)
		}
		value := args[0]
		args = args[1:]
		var err error
		switch arg {
		case "-name":
			f.name = value
			_, err = filepath.Match(value, "")
		case "-type":
			if f.kind = value; !strings.Contains("fdlbc", value) || len(value) != 1 {
				err = errors.New("type is one of f d l b c")
			}
		case "-maxdepth":
			f.depth, err = strconv.Atoi(value)
		default:
			err = errors.New("unknown option")
		}
		if err != nil {
			return f, usage("%s %s: %v", arg, value, err)
		}
	}
	if len(f.dirs) == 0 {
		f.dirs = []string{"."}
	}
	return f, nil
}

// walk goes on after files that cannot be read.
func (f finder) walk(ctx context.Context, c *Call, path string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Lstat(c.Path(path))
	if errors.Is(err, fs.ErrNotExist) && depth > 0 {
		return nil // removed meanwhile, as in /proc
	} else if err != nil {
		return err
	}
	if f.matches(info) {
		if err := c.Printf("%s\n", path); err != nil {
			return err
		}
	}
	if !info.IsDir() || depth == f.depth {
		return nil
	}
	entries, err := os.ReadDir(c.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, f.walk(ctx, c, strings.TrimSuffix(path, "/")+"/"+e.Name(), depth+1))
	}
	return errors.Join(errs...)
}

func (f finder) matches(info fs.FileInfo) bool {
	if f.name != "" {
		if ok, _ := filepath.Match(f.name, info.Name()); !ok {
			return false
		}
	}
	letter := modeString(info.Mode())[:1]
	return f.kind == "" || letter == f.kind || letter == "-" && f.kind == "f"
}
