package integration

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Debian's module tree unchanged, with its whole index, and a machine whose only NIC is a USB
// adapter: the host controller's driver is loaded first, then the adapter's; a second driver for
// the adapter, loaded after that, does not bind. Root has quotas, for which the kernel runs
// /sbin/modprobe at the mount. The settings of modprobe.d and of the command line are applied.
func TestModulesDebianTreeUSB(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	quota := exec.Command("tune2fs", "-O", "quota", r.disk.Path+"?offset=5242880")
	if out, err := quota.CombinedOutput(); err != nil {
		t.Fatalf("tune2fs: %v\n%s", err, out)
	}
	r.gotgt()
	f := newOtherInitrd(t, "amd64")
	f.addTree(diskModules + " xhci_pci cdc_ether cdc_subset quota_v2 ipmi_msghandler ahci dummy")
	f.tree["etc/modprobe.d/site.conf"] = images.Text("options dummy numdummies=3\ninstall dummy /bin/false\n")
	machine := r.usbNIC()
	machine.CPUs = 2 // loaded in parallel, the second driver would bind now and then
	m := f.boot(r, "rw rd.driver.pre=dummy rd.driver.post=ipmi_msghandler,absent modprobe.blacklist=crc32c_intel "+
		"iscsi_tcp.debug_iscsi_tcp=1 "+seedLine, machine)
	r.expect(m, "loaded dummy", "loaded xhci_pci", "loaded cdc_ether", "loaded cdc_subset", "guest: mount: /dev/sda2 / ext4 rw,")
	r.waitOff(m)
	r.checkShown(m, "register 'cdc_ether'", "Quota mode: journalled", "etc/modprobe.d/site.conf: line 2: install is not supported", "loaded ipmi_msghandler",
		"module absent: not built into the running kernel "+f.kernel.Release+", and the image holds ",
		"connection1:0: iscsi_sw_tcp_xmit") // the module's debug messages, enabled by its parameter
	r.checkNotShown(m, "register 'cdc_subset'", "loaded quota_v2", "loaded ahci", "loaded crc32c_intel", "Unknown symbol")
}

// The HOWTO's layout: files directly in /lib/modules and no index, here with every compression that
// the kernel does not unpack itself. module_blacklist= is applied.
func TestModulesFlat(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	f := newOtherInitrd(t, "amd64")
	f.addFlat(diskModules + " e1000 ahci")
	m := f.boot(r, "module_blacklist=crc32c_intel "+seedLine, r.nic("e1000"))
	r.expect(m, "loaded e1000", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	r.checkShown(m, "module crc32c_intel: forbidden by module_blacklist=")
	r.checkNotShown(m, "loaded ahci", "Module crc32c_intel is blacklisted", "Unknown symbol")
}

// Modules as .ko.xz, which this kernel unpacks itself.
func TestModulesXZTree(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	f := newOtherInitrd(t, "amd64-6.12")
	f.addTree(diskModules + " virtio_net")
	m := f.boot(r, seedLine, r.nic("virtio-net-pci"))
	r.expect(m, "loaded virtio_net", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkNotShown(m, "Unknown symbol")
}

// A modules.dep with garbage, a dependency cycle and without the line of a needed module: the
// machine boots.
func TestModulesDamagedIndex(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	f := newOtherInitrd(t, "cloud-amd64")
	f.addTree(diskModules + " virtio_pci virtio_net")
	f.edit("modules.dep", func(data []byte) []byte {
		var out []byte
		for line := range bytes.Lines(data) {
			name, _, _ := bytes.Cut(line, []byte(":"))
			switch {
			case bytes.HasSuffix(name, []byte("/libiscsi.ko")):
				line = []byte("\x00\x01\xfe garbage\n")
			case bytes.HasSuffix(name, []byte("/failover.ko")):
				line = []byte("kernel/net/core/failover.ko: kernel/drivers/net/net_failover.ko kernel/gone.ko\n")
			}
			out = append(out, line...)
		}
		return out
	})
	m := f.boot(r, seedLine, r.nic("virtio-net-pci"))
	r.expect(m, "modules: read modules.dep: line", "loaded virtio_net", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// Missing modules are reported before a step waits for their devices, and so is a tree of another
// kernel.
func TestModulesMissing(t *testing.T) {
	r := newRig(t)
	f := newOtherInitrd(t, "amd64")
	f.addFlat("virtio_pci virtio_net")
	m := f.boot(r, seedLine, r.nic("virtio-net-pci"))
	r.expect(m, "step iscsi-modules failed", "module iscsi_tcp: not built into the running kernel "+f.kernel.Release+", and the image holds only ",
		"hint: build the image again with iscsiroot build --kernel-version "+f.kernel.Release)
	if err := m.Stop(); err != nil {
		t.Error(err)
	}

	other := newOtherInitrd(t, "cloud-amd64")
	other.addFlat(diskModules)
	other.kernel.Image = f.kernel.Image
	m = other.boot(r, seedLine, r.nic("virtio-net-pci"))
	r.expect(m, "step modules failed", "modules: no modules for the running kernel "+f.kernel.Release+", only for "+other.kernel.Release,
		"hint: build the image again with iscsiroot build --kernel-version "+f.kernel.Release)
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(m.Output(), "exec format error") {
		t.Error("a module of another kernel was passed to the kernel")
	}
}
