package netboot

import "strings"

// Loader is a boot loader that dnsmasq can hand to machines.
type Loader struct {
	// Name is the value of loader in the hosts file.
	Name string
	// Banner is a regular expression for what it writes to the console first.
	Banner string
	// EFI tells that "iscsiroot try" runs it under EFI; the others run under BIOS.
	EFI bool
	// InROM tells that QEMU's cards have it in their ROMs, so that it runs without its files in
	// the tree.
	InROM bool

	// Files in the tree, by the client's architecture.
	bios, efi, arm string
	// script is what the loader itself gets from dnsmasq once it runs; empty: it finds its
	// configuration by itself.
	script string
	// needs are its files, and where Debian has them.
	needs []loaderFile
}

// loaderFile is a file of a loader.
type loaderFile struct{ name, from string }

// loaders are in the order in which they are named; the first is the default.
var loaders = [...]Loader{
	{
		Name: "pxelinux", Banner: `PXELINUX \d`,
		bios: "pxelinux.0", efi: "grubx64.efi", arm: "grubaa64.efi",
		needs: []loaderFile{
			{"pxelinux.0", "/usr/lib/PXELINUX/pxelinux.0 of package pxelinux"},
			{"ldlinux.c32", "/usr/lib/syslinux/modules/bios/ldlinux.c32 of package syslinux-common"},
		},
	},
	{
		Name: "ipxe", Banner: `Open Source Network Boot Firmware`, InROM: true,
		bios: "undionly.kpxe", efi: "snponly.efi", arm: "snponly.efi", script: "ipxe/boot.ipxe",
		needs: []loaderFile{
			{"undionly.kpxe", "/usr/lib/ipxe/undionly.kpxe of package ipxe"},
			{"snponly.efi", "/usr/lib/ipxe/snponly.efi of package ipxe"},
		},
	},
	{
		Name: "grub", Banner: `Welcome to GRUB`, EFI: true,
		bios: "grub/i386-pc/core.0", efi: "grubx64.efi", arm: "grubaa64.efi",
		needs: []loaderFile{
			{"grubx64.efi", "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed of package grub-efi-amd64-signed"},
		},
	},
}

// findLoader returns the loader of that name.
func findLoader(name string) (l Loader, ok bool) {
	for _, l := range loaders {
		if l.Name == name {
			return l, true
		}
	}
	return Loader{}, false
}

// loaderNames lists the names for a sentence: "pxelinux, ipxe or grub".
func loaderNames() string {
	var names []string
	for _, l := range loaders {
		names = append(names, l.Name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// BootLoader returns the loader that Loader names; for a name that Read would refuse the zero
// value.
func (r *Room) BootLoader() Loader {
	l, _ := findLoader(r.Loader)
	return l
}
