//go:build linux

package netboot

import (
	"fmt"
	"os"
	"path"
	"slices"
)

// loaderFiles are what machines load first, and where Debian has it.
var loaderFiles = map[string][]struct{ name, from string }{
	"pxelinux": {
		{"pxelinux.0", "/usr/lib/PXELINUX/pxelinux.0 of package pxelinux"},
		{"ldlinux.c32", "/usr/lib/syslinux/modules/bios/ldlinux.c32 of package syslinux-common"},
	},
	"grub": {{"grubx64.efi", "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed of package grub-efi-amd64-signed"}},
	"ipxe": {{"undionly.kpxe", "/usr/lib/ipxe/undionly.kpxe of package ipxe"}, {"snponly.efi", "/usr/lib/ipxe/snponly.efi of package ipxe"}},
}

// Lacks returns what has to be put into the tree beside our files, one line each: kernels, images and boot loaders.
func (r *Room) Lacks(dir string) []string {
	var out []string
	lack := func(name, how string) {
		if _, err := os.Stat(path.Join(dir, tree, name)); err == nil {
			return
		}
		line := fmt.Sprintf("%s is not there yet: %s", path.Join(dir, tree, name), how)
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	for _, h := range r.Hosts {
		lack(h.Kernel, "copy the kernel to it")
		lack(h.Initrd, "build it with iscsiroot build")
	}
	for _, f := range loaderFiles[r.Loader] {
		lack(f.name, "copy "+f.from)
	}
	return out
}
