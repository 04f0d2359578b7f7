package verb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

func lsVerb() Verb {
	return Verb{
		Name: "ls", Args: "[-adl1R] [PATH...]", Help: "list directories", Group: Files,
		More: "-a names that begin with a dot too, -d directories themselves, -l one line each with mode, owner, size and time, -R all below",
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("adl1Rhi")
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			l := lister{Call: c, options: o, several: len(args) > 1 || o.has('R')}
			return each(ctx, args, func(path string) error { return l.path(ctx, path) })
		},
	}
}

type lister struct {
	*Call
	options options
	several bool // a heading for each directory
}

// path lists a directory, or shows any other file.
func (l *lister) path(ctx context.Context, path string) error {
	info, err := os.Stat(l.Path(path))
	if err != nil || l.options.has('l') && !hasSlash(path) {
		if info, err = os.Lstat(l.Path(path)); err != nil {
			return err
		}
	}
	if !info.IsDir() || l.options.has('d') {
		return l.line(l.Path(path), path, info)
	}
	return l.dir(ctx, path)
}

func hasSlash(path string) bool { return path != "" && path[len(path)-1] == '/' }

func (l *lister) dir(ctx context.Context, path string) error {
	entries, err := os.ReadDir(l.Path(path))
	if err != nil {
		return err
	}
	if l.several {
		if err := l.Printf("%s:\n", path); err != nil {
			return err
		}
	}
	var errs []error
	var names []string // for a terminal, which shows them side by side
	for _, e := range entries {
		if e.Name()[0] == '.' && !l.options.has('a') {
			continue
		}
		if l.Terminal != nil && !l.options.has('l') && !l.options.has('1') {
			names = append(names, e.Name()+map[bool]string{true: "/"}[e.IsDir()])
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile, as in /proc
		}
		if err == nil {
			err = l.line(filepath.Join(l.Path(path), e.Name()), e.Name(), info)
		}
		errs = append(errs, err)
	}
	if len(names) > 0 {
		columns, _ := l.Terminal.Size()
		errs = append(errs, l.Printf("%s", Columns(names, columns)))
	}
	if l.options.has('R') {
		for _, e := range entries {
			if e.IsDir() && ctx.Err() == nil && (e.Name()[0] != '.' || l.options.has('a')) {
				errs = append(errs, l.Printf("\n"), l.dir(ctx, filepath.Join(path, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

// line is one line of the list.
func (l *lister) line(full, name string, info fs.FileInfo) error {
	if !l.options.has('l') {
		return l.Printf("%s\n", name)
	}
	size := fmt.Sprint(info.Size())
	uid, gid, links := uint32(0), uint32(0), uint64(1)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		uid, gid, links = st.Uid, st.Gid, uint64(st.Nlink)
		if info.Mode()&fs.ModeDevice != 0 {
			size = fmt.Sprintf("%d, %d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
		}
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if to, err := os.Readlink(full); err == nil {
			name += " -> " + to
		}
	}
	return l.Printf("%s %3d %d:%d %9s %s %s\n", modeString(info.Mode()), links, uid, gid, size, info.ModTime().UTC().Format("2006-01-02 15:04"), name)
}

// modeString writes a mode as ls(1) does.
func modeString(m fs.FileMode) string {
	kind := byte('-')
	for _, k := range []struct {
		bit    fs.FileMode
		letter byte
	}{{fs.ModeDir, 'd'}, {fs.ModeSymlink, 'l'}, {fs.ModeNamedPipe, 'p'}, {fs.ModeSocket, 's'}, {fs.ModeDevice, 'b'}, {fs.ModeCharDevice, 'c'}} {
		if m&k.bit != 0 {
			kind = k.letter
		}
	}
	perm := []byte(m.Perm().String())
	perm[0] = kind
	for _, s := range []struct {
		bit    fs.FileMode
		at     int
		letter byte
	}{{fs.ModeSetuid, 3, 's'}, {fs.ModeSetgid, 6, 's'}, {fs.ModeSticky, 9, 't'}} {
		if m&s.bit != 0 {
			if perm[s.at] == '-' {
				perm[s.at] = s.letter - 'a' + 'A'
			} else {
				perm[s.at] = s.letter
			}
		}
	}
	return string(perm)
}
