//go:build linux

package modload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/u-root/u-root/pkg/kmodule"
	"github.com/ulikunitz/xz"
)

// maxModule bounds an unpacked module, in bytes. Debian's largest, amdgpu, has 27 MB.
const maxModule = 256 << 20

// unpack returns the plain content of a module file, or any other, that ends in .gz, .xz or .zst,
// or of one that ends in .ko. It has at most 256 MiB.
func unpack(f *os.File) ([]byte, error) {
	r, err := reader(f)
	if err != nil {
		return nil, err
	}
	switch c := r.(type) {
	case interface{ Close() }: // zstd keeps goroutines
		defer c.Close()
	case io.Closer:
		defer c.Close()
	}
	data, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err == nil && len(data) > maxModule {
		err = fmt.Errorf("more than %d bytes", maxModule)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return data, nil
}

// reader returns a reader of the plain content. The library for xz reads byte by byte, which from a
// file is a system call each: buffered, a file is unpacked in half the time.
func reader(f *os.File) (io.Reader, error) {
	if filepath.Ext(f.Name()) == ".xz" {
		return xz.NewReader(bufio.NewReader(f))
	}
	return kmodule.CompressionReader(f)
}

// unpackFile is unpack for a kmod.Options; the file has to be an *os.File.
func unpackFile(f fs.File, _ string) ([]byte, error) {
	file, ok := f.(*os.File)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return unpack(file)
}

// compressions are the suffixes of module files by the kernel's name of what they are packed with
// (Documentation/ABI/testing/sysfs-module: /sys/module/compression).
var compressions = map[string]string{"gzip": ".gz", "xz": ".xz", "zstd": ".zst"}

// unpacks reports whether the kernel unpacks a module file itself (Linux 5.17,
// CONFIG_MODULE_DECOMPRESS); it supports one compression. For another one it logs an error on the
// console.
func (k kernel) unpacks(name string) bool {
	word := readAttr(filepath.Join(k.sys, "module/compression"))
	return word != "" && compressions[word] == filepath.Ext(name)
}
