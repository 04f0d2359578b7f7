// Package initramfs makes a bootable initramfs of init and the kernel modules it needs: a cpio
// archive in the kernel's newc format, compressed, and the same bit for bit from the same input. It
// needs no privilege.
//
// The image holds /init, a few directories, /dev/console and /dev/null, the modules as plain .ko
// files below /lib/modules/RELEASE and an index that knows just these, the firmware that they ask
// for and this host has, and the .link files of /etc/systemd/network, by which NICs get their
// names.
package initramfs

import (
	"io/fs"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Config describes an image. Only one of Init, PackedInit and InitPath is required.
type Config struct {
	// Root is the directory that holds lib/modules or usr/lib/modules; empty means "/".
	Root string
	// KernelVersion is the release whose modules are taken, as uname -r prints it; empty means
	// the running kernel's.
	KernelVersion string
	// InitPath is the program that becomes /init.
	InitPath string
	// Init is the program itself, in place of InitPath.
	Init []byte
	// PackedInit is the program as PackInit packed it, for where there is no Init. With zstd
	// and the time 0 it goes into the image as it is: an archive behind the one of everything
	// else.
	PackedInit []byte
	// NICs are the network drivers to include, by module name, with the buses they sit on. If
	// NICs and Devices are both empty, every bus driver and every Ethernet driver of the tree
	// is included.
	NICs []string
	// Devices are devices of the machines that are to boot, as the kernel announces them in
	// files named modalias, or "VVVV:DDDD" for a PCI device by vendor and device in
	// hexadecimal. Drivers of network cards, buses and watchdogs among them are included; there
	// has to be a network card.
	Devices []string
	// FileSystems are the root file systems to support; empty means all of fstypes.Roots.
	FileSystems []string
	// Network are the kinds of network devices that can be made of cards: "vlan", "bond",
	// "bridge". Those that Policy, Default or the command line of UKI name come along anyway,
	// and all of them in an image for any card.
	Network []string
	// Storage is what root stands on beside disks and partitions, of storage.Supported. "lvm",
	// "md" or "multipath" come along if Policy, Default or the command line of UKI name a
	// logical volume, an array or several paths, and without Storage all of it in an image for
	// any machine.
	Storage []string
	// Drivers are further modules to include, by name or alias.
	Drivers []string
	// FirmwareDirs are where firmware is looked for before lib/firmware below Root.
	FirmwareDirs []string
	// Files are further files. None may replace what the image has already.
	Files []File
	// Overlays are directories on this host whose content is included, as root's.
	Overlays []string
	// Busybox is the path of a statically linked busybox on this host: it becomes /bin/busybox,
	// with a link for each of its applets. Empty means none.
	Busybox string
	// Policy and Default are text of a kernel command line that takes precedence over the real
	// one, and is overridden by it.
	Policy, Default string
	// Credentials is a file of secrets on this host, which others may not read. Empty means
	// none.
	Credentials string
	// Microcode is a list of directories with firmware in amd-ucode and intel-ucode: what is
	// found is put in front of the image, where the kernel reads it before anything else. Empty
	// means none.
	Microcode []string
	// ModTime is the time of everything in the image, in seconds since 1970.
	ModTime uint32
	// Append is the path of an image of another builder: what cfg describes is appended,
	// without the modules that are in it already, and replaces its /init. Empty means none.
	Append string
	// Limits bound what Append, and the image that is replaced, may take; the zero value means
	// archive.DefaultLimits.
	Limits archive.Limits
	// UKI makes one EFI program of stub, kernel, command line and image.
	UKI *UKI
	// Progress is called with the number of bytes that are packed, and of all; it may be nil.
	Progress func(done, total int64)
	// Compression of the archive; empty means Zstd.
	Compression Compression
}

// File is one file of the image.
type File struct {
	// Path in the image. Missing parents are made with mode 0755.
	Path string
	// Source, if set, is the file on this host whose content is taken, and its permissions
	// unless Mode is set.
	Source string
	// Mode holds permissions, and fs.ModeSymlink for a symbolic link.
	Mode fs.FileMode
	// Data is the content without a Source; of a symbolic link the target.
	Data []byte
}

// Summary describes the content of an image.
type Summary struct {
	Kernel   string // release
	Modules  int
	Firmware int
	Links    int   // files of Root's etc/systemd/network that name NICs
	Files    int   // entries of every type, modules included
	Unpacked int64 // bytes of the cpio archive
	Bytes    int64 // bytes written
	// Largest are the largest files, at most ten.
	Largest []Sized
	// MissingFirmware is what was not found, by module.
	MissingFirmware []MissingFirmware
	// Appended is how many modules the image in Append has already.
	Appended int
	// Secret is true if the image holds a secret; its file is readable by its owner alone.
	Secret bool
	// Warnings are what is odd about the parameters.
	Warnings []string
}

// Sized is a file of an image and its size in bytes, before compression.
type Sized struct {
	Name string
	Size int64
}
