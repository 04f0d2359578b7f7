package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// regularMode returns the permissions of a regular file, or of what a symbolic link leads to.
func regularMode(name string) (fs.FileMode, error) {
	st, err := os.Stat(name)
	if err != nil {
		return 0, fmt.Errorf("add file %s: %w", name, cause(err))
	}
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("add file %s: not a regular file", name)
	}
	if st.Size() > math.MaxUint32 {
		return 0, fmt.Errorf("add file %s: larger than the 4 GiB that a cpio entry holds", name)
	}
	return st.Mode(), nil
}

// fileContent is the data function of a file on this host.
func fileContent(name string) func() ([]byte, error) {
	return func() ([]byte, error) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, cause(err))
		}
		return data, nil
	}
}

// releaseBase returns the directory above lib/modules/RELEASE, which depmod takes as -b.
func releaseBase(dir string) string {
	return filepath.Dir(filepath.Dir(filepath.Dir(dir)))
}

// cause drops the path of an *fs.PathError, for a message that has named it.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
