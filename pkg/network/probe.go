package network

import (
	"os"
	"path/filepath"
)

// openProbe opens the attribute that waitProbe reads of an interface's device. It does not wait,
// and the file stays that device's if the interface is renamed; nil if there is no such attribute.
// sys is /sys/class/net.
func openProbe(sys, name string) *os.File {
	f, err := os.Open(filepath.Join(sys, name, "device/driver_override"))
	if err != nil {
		return nil
	}
	return f
}

// waitProbe returns when no driver is probing a device. Some drivers register their interface
// before it can be set up: e100 creates the memory pool for its commands after that, and an
// interface that is set up in between crashes the kernel (drivers/net/ethernet/intel/e100.c:
// e100_probe, e100_alloc_cbs). Reading this attribute of a PCI device waits for the lock that the
// kernel holds while it probes (drivers/pci/pci-sysfs.c: driver_override_show; drivers/base/dd.c:
// __driver_attach), and nothing ends that wait: so this is called in tasks only. Devices without
// the attribute are not waited for.
func waitProbe(f *os.File) {
	if f != nil {
		_, _ = f.Read(make([]byte, 1))
		_ = f.Close()
	}
}
