package bootspec_test

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// fortyWords is a long command line: words of iscsiroot, the kernel, systemd and other initramfs,
// and two that are mistyped.
const fortyWords = `BOOT_IMAGE=/boot/vmlinuz-6.1 initrd=remote/initrd.img root=UUID=6b656e63-0000-4000-8000-000000000002 ro quiet splash console=tty0 console=ttyS0,115200n8
	ip=10.1.1.165::10.1.1.1:255.255.255.192:m:ens3:none ip=ens4:dhcp nameserver=10.1.1.53 nameserver=10.1.1.54 netroot=iscsi:10.1.1.180::::iqn.2007-01.com.example:storage.remote1
	rd.iscsi.initiator=iqn.2007-01.com.example:server.remote1 iscsi_recovery_tmo=86400 rd.timeout=0 panic=30 net.ifnames=1 biosdevname=0 BOOTIF=01-52-54-00-aa-bb-01
	rd.lvm.lv=vg0/root rd.luks=0 rd.md=0 overlayroot=disabled crashkernel=256M mitigations=off systemd.unified_cgroup_hierarchy=1 apparmor=1 security=apparmor intel_iommu=on
	transparent_hugepage=never nvme_core.multipath=Y drm.debug=0 isci_p=3260 rd.iscsirot.lun=1 vconsole.keymap=us rd.driver.pre=e1000e audit=0 loglevel=3 udev.log_level=3`

// A boot reads its words once; this is what that costs.
func BenchmarkParse(b *testing.B) {
	line := cmdline.Parse(fortyWords)
	if n := len(line.Params); n != 40 {
		b.Fatalf("%d words", n)
	}
	for b.Loop() {
		plan, err := bootspec.Parse(line)
		if err != nil || len(plan.Warnings) == 0 {
			b.Fatal(err)
		}
	}
}
