//go:build linux

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
	"strings"

	"github.com/u-root/u-root/pkg/kmodule"
)

// maxModule bounds an unpacked module, in bytes. Debian's largest, amdgpu, has 27 MB.
const maxModule = 512 << 20

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

// compressed are the suffixes of module files that are unpacked for the image.
var compressed = []string{".gz", ".xz", ".zst"}

// plainPath returns the path of a module in the image, where none is compressed.
func plainPath(path string) string {
	for _, suffix := range compressed {
		path = strings.TrimSuffix(path, suffix)
	}
	return path
}

// moduleContent is the data function of a module file, unpacked and otherwise untouched: its signature is at the end.
func moduleContent(name string) func() ([]byte, error) {
	if plainPath(name) == name {
		return fileContent(name)
	}
	return func() ([]byte, error) {
		data, err := unpack(name)
		if err != nil {
			return nil, fmt.Errorf("unpack module %s: %w", name, cause(err))
		}
		return data, nil
	}
}

// unpack returns the content of a compressed file.
func unpack(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := kmodule.CompressionReader(f)
	if err != nil {
		return nil, err
	}
	switch c := r.(type) {
	case interface{ Close() }: // zstd keeps goroutines
		defer c.Close()
	case io.Closer:
		defer c.Close()
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, maxModule+1))
	if err == nil && n > maxModule {
		err = fmt.Errorf("more than %d bytes", maxModule)
	}
	return b.Bytes(), err
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
