package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
		return 0, fmt.Errorf("add file %s: %w", name, errNotRegular)
	}
	if st.Size() > math.MaxUint32 {
		return 0, fmt.Errorf("add file %s: %w", name, errTooLarge)
	}
	return st.Mode(), nil
}

// openSource opens a file on this host that is copied into the image: as many bytes as it has now.
// A file of procfs or sysfs has more than its size, 0, and is read into memory.
func openSource(name string) (r io.ReaderAt, size uint64, done func(), err error) {
	f, st, err := OpenRegular(name)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("read %s: %w", name, err)
	}
	switch {
	case st.Size() > math.MaxUint32:
		f.Close()
		return nil, 0, nil, fmt.Errorf("read %s: %w", name, errTooLarge)
	case st.Size() > 0:
		return io.NewSectionReader(f, 0, st.Size()), uint64(st.Size()), func() { f.Close() }, nil
	}
	f.Close()
	data, err := fileContent(name)()
	return bytes.NewReader(data), uint64(len(data)), func() {}, err
}

// errTooLarge is of a file whose size does not fit into 8 hexadecimal digits.
var errTooLarge = errors.New("larger than the 4 GiB that a cpio entry holds")

// maxProgram bounds a file that is held in memory, such as a kernel or init, in bytes.
const maxProgram = 128 << 20

// fileContent is the data function of a file on this host.
func fileContent(name string) func() ([]byte, error) {
	return func() ([]byte, error) {
		data, err := ReadRegular(name, maxProgram)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
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
