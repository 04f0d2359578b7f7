package outfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Dirs are the directories that [MkdirAll] has made.
type Dirs struct {
	names   []string // the deepest first
	release func()
}

// MkdirAll makes a directory, mode 0755, with those above it. What it makes is registered before it
// is there: [Dirs.Remove] or [Dirs.Keep] is to be called; after one of them Keep does nothing.
func MkdirAll(ctx context.Context, dir string) (*Dirs, error) {
	d := &Dirs{}
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		d.names = append(d.names, at)
	}
	var err error
	if d.release, err = Register(ctx, d.rmdir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		d.Remove()
		return nil, err
	}
	return d, nil
}

// Remove removes the directories, as far as they are empty.
func (d *Dirs) Remove() {
	d.rmdir()
	d.release()
}

// Keep lets them stay when a signal ends the run.
func (d *Dirs) Keep() { d.release() }

func (d *Dirs) rmdir() {
	for _, name := range d.names {
		_ = syscall.Rmdir(name) // one that is not empty stays
	}
}

// TempDir is a directory in [os.TempDir] for one run.
type TempDir struct{ f *os.File }

// MkdirTemp makes a directory, mode 0700, whose name begins with prefix. Those that ended runs of
// this user have left are removed, with all that is in them.
func MkdirTemp(prefix string) (*TempDir, error) {
	top := os.TempDir()
	entries, _ := os.ReadDir(top)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			removeIfDead(filepath.Join(top, e.Name()), os.O_RDONLY|syscall.O_DIRECTORY, os.RemoveAll)
		}
	}
	for {
		name, err := os.MkdirTemp(top, prefix)
		if err != nil {
			return nil, err
		}
		f, err := os.Open(name)
		if os.IsNotExist(err) {
			continue // another run removed it as an ended run's before it was locked
		}
		if err != nil {
			os.Remove(name)
			return nil, err
		}
		if flock(f, false) != syscall.EWOULDBLOCK && isAt(f) {
			return &TempDir{f}, nil
		}
		f.Close()
	}
}

// Name is its path.
func (d *TempDir) Name() string { return d.f.Name() }

// Close removes it with all that is in it.
func (d *TempDir) Close() error {
	defer d.f.Close()
	return os.RemoveAll(d.Name())
}
