package repo_test

import (
	"slices"
	"testing"
)

// order is the order of ring 2: of this ring, a package imports only what stands above it. Rings 0
// and 1 are free to all. First comes what cmd/init links, with the wiring of all of it last, then
// the host's side, then what tests and trials need. pkg/doc.go shows the same to a reader.
var order = []string{
	"pkg/boot/sequence",
	"pkg/redundancy",
	"pkg/session",
	"pkg/rootfs/arrays",
	"pkg/rootfs/calls",
	"pkg/rootfs/maps",
	"pkg/rootfs/reads",
	"pkg/rootfs/filesystem",
	"pkg/rootfs/scan",
	"pkg/rootfs/volumes",
	"pkg/rootfs/stack",
	"pkg/rootfs",
	"pkg/shutdown",
	"pkg/recovery/disks",
	"pkg/recovery/legs",
	"pkg/recovery",
	"pkg/recovery/mirrors",
	"pkg/recovery/paths",
	"pkg/recovery/uplink",
	"pkg/recovery/agent",
	"pkg/status",
	"pkg/shell/control",
	"pkg/shell/verb",
	"pkg/shell",
	"pkg/boot/debug",
	"pkg/boot/drivers",
	"pkg/boot/netup",
	"pkg/boot/login",
	"pkg/boot",

	"pkg/outfile",
	"pkg/initramfs/unpack",
	"pkg/initramfs/release",
	"pkg/initramfs/storage",
	"pkg/initramfs/system",
	"pkg/initramfs",
	"pkg/netboot",
	"pkg/discovery",

	"pkg/internal/efitest",
	"pkg/internal/newctest",
	"pkg/internal/nstest",
	"pkg/internal/steptest",
	"pkg/internal/unitcheck",
	"pkg/internal/liospec",
	"pkg/internal/lioguest",
	"pkg/lab/deps",
	"pkg/lab/images",
	"pkg/lab/faultproxy",
	"pkg/lab",
	"pkg/lab/targets",
	"pkg/lab/volumes",
	"pkg/internal/vmtest",
	"pkg/trial",
}

func TestRing2Order(t *testing.T) {
	all := imports(t)
	for i, pkg := range order {
		if _, exists := all[pkg]; !exists {
			t.Errorf("package %s does not exist: remove it from the order in order_test.go", pkg)
		}
		if slices.Contains(order[:i], pkg) {
			t.Errorf("package %s stands twice in the order in order_test.go", pkg)
		}
		for _, imported := range all[pkg] {
			if slices.Contains(order[i:], imported) {
				t.Errorf("%s imports %s, which stands below it in order_test.go: pass in what it needs, or move what both need up", pkg, imported)
			}
		}
	}
}
