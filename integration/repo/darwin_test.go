package repo_test

import (
	"slices"
	"strings"
	"testing"
)

// portable are iscsiroot's packages that the host tool links on a system other than Linux. One that
// needs a Linux kernel is not among them.
var portable = []string{
	"cmd/iscsiroot",
	"pkg/bootspec",
	"pkg/cmdline",
	"pkg/contain",
	"pkg/discovery",
	"pkg/dm/table",
	"pkg/fstypes",
	"pkg/glob",
	"pkg/ibft",
	"pkg/initramfs",
	"pkg/initramfs/archive",
	"pkg/initramfs/efi",
	"pkg/initramfs/release",
	"pkg/initramfs/storage",
	"pkg/initramfs/system",
	"pkg/initramfs/unpack",
	"pkg/iscsi",
	"pkg/iscsi/portal",
	"pkg/kmod",
	"pkg/lvm",
	"pkg/manual",
	"pkg/modload", // for Tree alone
	"pkg/mounts",
	"pkg/multipath",
	"pkg/netboot",
	"pkg/outfile",
	"pkg/network/dhcp",
	"pkg/network/linkfile",
	"pkg/regular",
	"pkg/words",
}

// elsewhere are the systems beside Linux that the host tool is built for. The code for the two
// processors is the same: vet checks one.
var elsewhere = []string{"GOARCH=arm64", "GOARCH=amd64"}

// The host tool builds on a Mac, with its tests.
func TestDarwin(t *testing.T) {
	for _, arch := range elsewhere {
		goCommand(t, []string{"GOOS=darwin", arch}, "build", "-o", "/dev/null", "./cmd/iscsiroot")
	}
	text := goCommand(t, []string{"GOOS=darwin", elsewhere[0]}, "list", "-deps", "./cmd/iscsiroot")
	var linked []string
	for line := range strings.Lines(text) {
		if name, inModule := strings.CutPrefix(strings.TrimSpace(line), module+"/"); inModule {
			linked = append(linked, name)
		}
	}
	slices.Sort(linked)
	for _, pkg := range linked {
		if !slices.Contains(portable, pkg) {
			t.Errorf("on darwin cmd/iscsiroot links %s: import it in a file named _linux.go, or if it needs no Linux add it to the list in darwin_test.go", pkg)
		}
	}
	vet := []string{"vet"}
	for _, pkg := range portable {
		vet = append(vet, "./"+pkg)
		if !slices.Contains(linked, pkg) {
			t.Errorf("on darwin cmd/iscsiroot does not link %s: remove it from the list in darwin_test.go", pkg)
		}
	}
	goCommand(t, []string{"GOOS=darwin", elsewhere[0]}, vet...)
}

// linuxOnly are the Go files in the host tool's packages that are for Linux alone: what they do
// needs a Linux kernel. All others are for every system.
var linuxOnly = []string{
	"cmd/iscsiroot/hostile_linux_test.go",     // FIFOs, and the unit of a process's peak memory
	"cmd/iscsiroot/interrupted_linux_test.go", // try, and a process that is killed
	"cmd/iscsiroot/notroot_linux_test.go",     // namespaces
	"cmd/iscsiroot/onlinux_linux.go",          // the table of the commands
	"cmd/iscsiroot/onlinux_linux_test.go",
	"cmd/iscsiroot/signals_linux_test.go",    // waits until a process is in write(2), by /proc
	"cmd/iscsiroot/status_linux.go",          // netlink and sysfs
	"cmd/iscsiroot/try_linux.go",             // QEMU in a network namespace
	"pkg/initramfs/unpack/node_linux.go",     // the numbers of devices, and times of links
	"pkg/initramfs/unpack/odd_linux_test.go", // FIFOs and sockets
}

// A file of the host tool that needs Linux has that in its name, and the reason in the list above.
func TestHostToolIsPortable(t *testing.T) {
	files := goFiles(t)
	seen := 0
	for _, name := range sorted(files) {
		if !within(name, "cmd/iscsiroot") && !within(name, "pkg/initramfs") && !within(name, "pkg/netboot") {
			continue
		}
		seen++
		named := strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test"), "_linux")
		if named != slices.Contains(linuxOnly, name) {
			t.Errorf("%s: files that are for Linux alone are named _linux.go and listed in darwin_test.go, with the reason", name)
		}
		if strings.HasPrefix(string(files[name]), "//go:build linux") {
			t.Errorf("%s: remove the line //go:build linux, or name the file _linux.go", name)
		}
	}
	if seen < 50 {
		t.Errorf("%d files checked: where is the host tool?", seen)
	}
}
