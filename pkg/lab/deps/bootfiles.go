package deps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bootFiles holds the paths of a machine's boot files in the packages that scripts/deps.sh unpacks.
var bootFiles = map[string]string{
	"pxelinux.0":         "usr/lib/PXELINUX/pxelinux.0",
	"ldlinux.c32":        "usr/lib/syslinux/modules/bios/ldlinux.c32",
	"mbr.bin":            "usr/lib/syslinux/mbr/mbr.bin",
	"grubx64.efi":        "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
	"linuxx64.efi.stub":  "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
	"OVMF_CODE_4M.fd":    "usr/share/OVMF/OVMF_CODE_4M.fd",
	"OVMF_VARS_4M.fd":    "usr/share/OVMF/OVMF_VARS_4M.fd",
	"syslinux installer": "usr/bin/syslinux",
	"mcopy":              "usr/bin/mcopy",
}

// BootFile finds a boot loader that scripts/deps.sh brought or that is installed, by the name a
// boot server has it under: pxelinux.0, ldlinux.c32, grubx64.efi (GRUB for the network),
// linuxx64.efi.stub. A missing one is an [ErrNotCached].
func BootFile(name string) (string, error) {
	file, ok := bootFiles[name]
	if !ok {
		return "", fmt.Errorf("find boot file %s: no such name", name)
	}
	return FindUnpacked("boot file "+name, "netboot", file)
}

// FindUnpacked finds a file of a package that scripts/deps.sh unpacked as an item of the cache, or
// else where the package installs it.
func FindUnpacked(what, item, file string) (string, error) {
	name, err := Find(what, filepath.Join(item, file))
	if installed := "/" + file; errors.Is(err, ErrNotCached) {
		if _, missing := os.Stat(installed); missing == nil {
			return installed, nil
		}
	}
	return name, err
}
