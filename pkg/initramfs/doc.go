//go:build linux

// Package initramfs makes a bootable initramfs of init and the kernel modules it needs: a cpio archive in the kernel's
// newc format, compressed, and the same bit for bit from the same input. It needs no privilege.
//
// The image holds /init, a few directories, /dev/console and /dev/null, the modules as plain .ko files below
// /lib/modules/RELEASE and an index that knows just these. Firmware is not included.
package initramfs

import (
	"fmt"
	"io/fs"
)

// Config says what goes into an image. Only Init or InitPath is required.
type Config struct {
	// Root is the directory that holds lib/modules or usr/lib/modules; empty means "/".
	Root string
	// KernelVersion is the release whose modules are taken, as uname -r prints it; empty means the running kernel's.
	KernelVersion string
	// InitPath is the program that becomes /init.
	InitPath string
	// Init is the program itself, in place of InitPath.
	Init []byte
	// NICs are the network drivers to include, by module name, with the buses they sit on; empty means every bus driver
	// and every Ethernet driver of the tree.
	NICs []string
	// FileSystems are the root file systems to support; empty means all of SupportedFileSystems.
	FileSystems []string
	// Drivers are further modules to include, by name or alias.
	Drivers []string
	// Files are further files. None may replace what the image has already.
	Files []File
	// Compression of the archive; empty means Zstd.
	Compression Compression
}

// File is one file of the image.
type File struct {
	// Path in the image. Missing parents are made with mode 0755.
	Path string
	// Source, if set, is the file on this host whose content is taken, and its permissions unless Mode is set.
	Source string
	// Mode holds permissions, and fs.ModeSymlink for a symbolic link.
	Mode fs.FileMode
	// Data is the content without a Source; of a symbolic link the target.
	Data []byte
}

// Compression names how an image is compressed.
type Compression string

// The compressions that Linux unpacks and this package writes.
const (
	Zstd Compression = "zstd"
	Gzip Compression = "gzip"
	None Compression = "none"
)

// ParseCompression returns the compression of that name.
func ParseCompression(name string) (Compression, error) {
	switch c := Compression(name); c {
	case Zstd, Gzip, None:
		return c, nil
	}
	return "", fmt.Errorf("compression %q: use zstd, gzip or none", name)
}

// Summary tells what an image holds.
type Summary struct {
	Kernel   string // release
	Modules  int
	Files    int   // entries of every type, modules included
	Unpacked int64 // bytes of the cpio archive
	Bytes    int64 // bytes written
}
