package network

import (
	"os"
	"path/filepath"
)

// openProbe opens what waitProbe reads of an interface's device, which does not
// wait yet and stays that device's whatever the interface is called later; nil
// if there is no such thing. sys is /sys/class/net.
func openProbe(sys, name string) *os.File {
	f, err := os.Open(filepath.Join(sys, name, "device/driver_override"))
	if err != nil {
		return nil
	}
	return f
}

// waitProbe returns when no driver is at work on a device any more. Some drivers
// make their interface known before it can be set up: e100 creates the memory
// pool for its commands after that, and one that is set up in between crashes
// the kernel (drivers/net/ethernet/intel/e100.c: e100_probe, e100_alloc_cbs). To
// read this attribute of a PCI device is to wait for the lock that the kernel
// holds while it probes (drivers/pci/pci-sysfs.c: driver_override_show;
// drivers/base/dd.c: __driver_attach), and nothing ends that wait: so this is
// called in a task alone. What has no such attribute is not waited for.
func waitProbe(f *os.File) {
	if f != nil {
		_, _ = f.Read(make([]byte, 1))
		_ = f.Close()
	}
}
