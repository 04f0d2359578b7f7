package outfile

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Temporary is the suffix of files that are not complete yet.
const Temporary = ".iscsiroot-new"

// File is a file that is not complete yet. It has a temporary name beside its target, and mode
// 0600.
type File struct {
	*os.File

	target  string
	release func()
}

// Create makes a file that [File.Commit] puts in the place of target. Files that ended runs have
// left for this target are removed.
func Create(ctx context.Context, target string) (*File, error) {
	dir, prefix := filepath.Dir(target), tempPrefix(target)
	removeDead(dir, prefix)
	for {
		name := filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36)+Temporary)
		release, err := Register(ctx, func() { os.Remove(name) })
		if err != nil {
			return nil, err
		}
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			release()
			return nil, err
		}
		out := &File{f, target, release}
		// Where there is no flock(2), the file goes without, and no run removes it.
		if err := flock(f, false); !errors.Is(err, syscall.EWOULDBLOCK) && isAt(f) {
			return out, nil
		}
		out.Discard() // another run removed it as an ended run's before it was locked
	}
}

// tempPrefix is how temporary names for a target begin. A file name has 255 bytes at most on Linux
// and darwin.
func tempPrefix(target string) string {
	base := filepath.Base(target)
	return "." + base[:min(len(base), 200)] + "."
}

// Commit gives the file its permissions, syncs it to disk, and renames it to the target. After an
// error the file is removed and the target unchanged.
func (f *File) Commit(mode fs.FileMode) error {
	err := f.Chmod(mode)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), f.target)
	}
	if err != nil {
		f.Discard()
		return err
	}
	f.release()
	return f.Close()
}

// Discard removes the file.
func (f *File) Discard() {
	os.Remove(f.Name())
	f.Close()
	f.release()
}

// removeDead removes the files with such names in a directory that no run has locked. What cannot
// be removed stays.
func removeDead(dir, prefix string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), Temporary) {
			removeIfDead(filepath.Join(dir, e.Name()), os.O_RDWR, os.Remove)
		}
	}
}

// removeIfDead removes a file or directory if no run has locked it.
func removeIfDead(name string, flags int, remove func(string) error) {
	f, err := os.OpenFile(name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if flock(f, false) == nil && isAt(f) && isOwn(f) {
		_ = remove(name)
	}
}

// isOwn reports whether a file belongs to the user of this process.
func isOwn(f *os.File) bool {
	st, err := f.Stat()
	if err != nil {
		return false
	}
	own, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(own.Uid) == os.Geteuid()
}
