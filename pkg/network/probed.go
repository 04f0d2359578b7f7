package network

import (
	"os"
	"path/filepath"
)

// waitProbe returns when no driver is at work on an interface's device any
// more. Some drivers make their interface known before it can be set up: e100
// creates the memory pool for its commands after that, and one that is set up
// in between crashes the kernel (drivers/net/ethernet/intel/e100.c: e100_probe,
// e100_alloc_cbs). To read this attribute of a PCI device is to wait for the
// lock that the kernel holds while it probes (drivers/pci/pci-sysfs.c:
// driver_override_show; drivers/base/dd.c: __driver_attach). What has no such
// attribute is not waited for. sys is /sys/class/net.
func waitProbe(sys, name string) {
	_, _ = os.ReadFile(filepath.Join(sys, name, "device/driver_override"))
}
