package images

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// File is what a [Tree] holds at one path.
type File struct {
	// Mode is fs.ModeDir, fs.ModeSymlink, fs.ModeDevice (with fs.ModeCharDevice or without) or
	// none of them for a regular file, with the permission bits. A symbolic link's permissions
	// are ignored.
	Mode fs.FileMode
	// Content of a regular file without Source.
	Content []byte
	// Source is the host's file that holds the content.
	Source string
	// Link is what a symbolic link points to.
	Link string
	// Major and Minor are a device's numbers.
	Major, Minor uint32
}

// Tree is a directory tree as a value: slash-separated paths below its root, without a leading
// slash. Directories that are not named are made with mode 0755; everything belongs to root.
type Tree map[string]File

// Text is a regular file with mode 0644 and this content.
func Text(content string) File { return File{Mode: 0o644, Content: []byte(content)} }

// Script is a regular file with mode 0755 and this content.
func Script(content string) File { return File{Mode: 0o755, Content: []byte(content)} }

// Copy is a regular file with mode 0755 and the content of the host's file source.
func Copy(source string) File { return File{Mode: 0o755, Source: source} }

// Symlink points to target.
func Symlink(target string) File { return File{Mode: fs.ModeSymlink | 0o777, Link: target} }

// Dir is a directory with mode 0755.
func Dir() File { return File{Mode: fs.ModeDir | 0o755} }

// CharDevice is a device node with mode 0600.
func CharDevice(major, minor uint32) File {
	return File{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: major, Minor: minor}
}

// treeTime is every file's time of change, so that equal trees make equal images.
func treeTime() time.Time { return time.Unix(1167609600, 0) } // 2007-01-01

// complete adds the directories that lead to what the tree names, and returns all paths, parents
// first.
func (t Tree) complete() (Tree, []string, error) {
	out := make(Tree, len(t))
	for name, file := range t {
		if !fs.ValidPath(name) || name == "." {
			return nil, nil, &fs.PathError{Op: "tree", Path: name, Err: fs.ErrInvalid}
		}
		out[name] = file
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if known, ok := t[dir]; ok && !known.Mode.IsDir() {
				return nil, nil, &fs.PathError{Op: "tree", Path: dir, Err: errors.New("is not a directory but has files below it")}
			} else if !ok {
				out[dir] = Dir()
			}
		}
	}
	names := make([]string, 0, len(out))
	for name := range out {
		names = append(names, name)
	}
	slices.Sort(names) // "a" before "a/b"
	return out, names, nil
}

func (f File) open() (io.ReadCloser, error) {
	if f.Source != "" {
		return os.Open(f.Source)
	}
	return io.NopCloser(strings.NewReader(string(f.Content))), nil
}

// write makes the tree in the directory dir, which exists and is empty; device nodes are left out.
func (t Tree) write(dir string) error {
	all, names, err := t.complete()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return all[name].isDevice() })
	for _, name := range names {
		if err := all[name].write(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	slices.Reverse(names) // a directory's time changes while it is filled
	stamp := unix.NsecToTimespec(treeTime().UnixNano())
	for _, name := range append(names, "") {
		target := filepath.Join(dir, name)
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, target, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "utimensat", Path: target, Err: err}
		}
	}
	return nil
}

func (f File) write(target string) error {
	switch f.Mode.Type() {
	case fs.ModeSymlink:
		return os.Symlink(f.Link, target)
	case fs.ModeDir:
		if err := os.Mkdir(target, 0o700); err != nil {
			return err
		}
	case 0:
		if err := f.writeContent(target); err != nil {
			return err
		}
	default:
		return &fs.PathError{Op: "tree", Path: target, Err: fmt.Errorf("mode %v: %w", f.Mode, errors.ErrUnsupported)}
	}
	return os.Chmod(target, f.Mode) // the umask took part in what went before
}

func (f File) writeContent(target string) error {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (f File) isDevice() bool { return f.Mode&fs.ModeDevice != 0 }

// debugfsDevice is the device's kind and numbers as debugfs takes them.
func (f File) debugfsDevice() string {
	kind := "b"
	if f.Mode&fs.ModeCharDevice != 0 {
		kind = "c"
	}
	return fmt.Sprintf("%s %d %d", kind, f.Major, f.Minor)
}

// deviceMode is the file type in st_mode's terms.
func (f File) deviceMode() uint32 {
	if f.Mode&fs.ModeCharDevice != 0 {
		return unix.S_IFCHR
	}
	return unix.S_IFBLK
}
