package outfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// MkdirAll makes a directory, mode 0755, with those above it. remove removes what it has made, as
// far as that is empty.
func MkdirAll(dir string) (remove func(), err error) {
	var made []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		made = append(made, at)
	}
	remove = func() {
		for _, name := range made {
			_ = syscall.Rmdir(name) // one that is not empty stays
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
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
