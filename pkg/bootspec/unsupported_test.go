package bootspec_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

const overlayBoot = "ip=dhcp netroot=iscsi:192.0.2.1::::iqn.2007-01.com.example:a rd.iscsi.initiator=iqn.2007-01.com.example:i root=UUID=6b656e63-0000-4000-8000-000000000002 ro "

// Words for what is not supported are named, one line for each kind; those against it are silent.
func TestNotSupported(t *testing.T) {
	const nothing = " is not supported: "
	for _, tt := range []struct {
		line    string
		kinds   string // requests for them, one by one
		overlay string // the words for one
	}{
		{"overlayroot=tmpfs", "a writable layer over root", "overlayroot="},
		{"overlayroot=tmpfs overlayroot_cfgdisk=disabled", "a writable layer over root", "overlayroot="},
		{"overlayroot=device:dev=LABEL=rw,recurse=0", "a writable layer over root", "overlayroot="},
		{"rd.overlay", "a writable layer over root", "rd.overlay"},
		{"rd.overlay=LABEL=x rd.overlay.reset", "a writable layer over root|settings of a writable layer over root", "rd.overlay="},
		{"rd.live.overlay.size=1024 rd.overlay.readonly", "settings of a writable layer over root", ""},
		{"rd.live.image rd.live.overlay.overlayfs=1", "a writable layer over root|a live system in an image file", "rd.live.overlay.overlayfs="},
		{"rd.live.overlay=none rd.live.overlay.size=1", "", ""},
		{"rootovl", "a writable layer over root", "rootovl"},
		{"boot=overlay", "a writable layer over root", "boot="},
		{"boot=live", "a live system in an image file", ""},
		{"boot=nfs", "an NFS root", ""},
		{"boot=local boot=UUID=x", "", ""},
		{"boot=overlay boot=local", "", ""},
		{"systemd.volatile=overlay", "a writable layer over root", "systemd.volatile="},
		{"systemd.volatile=state", "", ""},
		{"overlayroot=disabled rd.overlay=0 rd.lvm=0 rd.md=0 rd.luks=0 rd.dm=0 rd.multipath=0 multipath=off luks=no raid=noautodetect rd.fcoe=0 overlayroot=", "", ""},
		{"nompath nodmraid nolvm noluks nounionfs nopersistence noresume rd.nonvmf rd_NO_LVM rd_NO_MD rd_NO_DM rd_NO_LUKS disable-overlay systemd.verity=0", "", ""},
		{"overlayroot=tmpfs boot=local systemd.volatile=no", "a writable layer over root", "overlayroot="},
		{"overlay=UUID=x rd.live.overlay=none", "a writable layer over root", "overlay="},
		{"stateless reset_overlay", "settings of a writable layer over root|a system without state of its own", ""},
		{"usr=PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132 verity.usr=PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132 verity.usrhash=x flatcar.first_boot=1", "dm-verity|another /usr than that of root's fstab|Ignition", ""},
		{"coreos.first_boot=1 ignition.platform.id=metal coreos.inst.install_dev=/dev/sda rd.kiwi.install.pxe kiwi_oemunattended=true", "an installation|Ignition", ""},
		{"boot=zfs rpool=tank zfs_force=1", "ZFS", ""},
		{"boot=casper layerfs-path=x", "a live system in an image file", ""},
		{"boot=ltsp", "a boot script of initramfs-tools", ""},
		{"boot=/dev/sda1 boot=LABEL=x boot=1", "", ""},
		{"rd.auto rd.md.uuid=3aaa0122:29827cfa:5331ad66:ca767371 rd.md.conf=0 rd.md.imsm=0", "", ""},
		{"rd.auto=0 rd.zfcp.conf=0", "", ""},
		{"rd.zfcp=0.0.4000,0x5005076300C213e9,0x5022000000000000 rd.dasd=0.0.0200 rd.znet=qeth,0.0.0600,0.0.0601,0.0.0602 rd.zdev=no-auto", "channel devices of S/390", ""},
		{"rd_LVM_VG=vg0 rd_LVM_LV=vg0/root rd_LUKS_UUID=x rd_DM_UUID=x", "a RAID of the firmware|LUKS", ""},
		{"rd_LVM_VG=vg0 rd_LUKS_UUID=x rd_DM_UUID=x rd_NO_LVM rd_NO_MD rd_NO_LUKS rd_NO_DM", "", ""},
		{"lvmwait=/dev/vg0/root nolvm multipath nompath rd.dm.uuid=x nodmraid fcoe=x rd.nofcoe rd.nvmf.discover=x rd.nonvmf", "", ""},
		{"systemd.verity_usr_hash=x roothash=x systemd.verity=0", "", ""},
		{"usrhash=x systemd.verity_root_data=/dev/sda2 systemd.verity rd.luks.crypttab rd.luks.key=/k", "LUKS|dm-verity", ""},
		{"resume=/dev/sda3 rd.luks.crypttab=0 rd.fips.skipkernel rd.nvmf.nonbft", "", ""},
		{"rd.caps=1 rd.fips masterkey=x rd.convertfs", "keys for the integrity or the encryption of files|a check of the kernel's integrity|fewer capabilities for the real init|a move of directories into /usr", ""},
		{"syslog.server=10.1.1.1 rd.lunmask=x rd.ethtool=eth0:off:1000 aoe=e0.0 stratis.rootfs.pool_uuids=x", "Stratis|ATA over Ethernet|LUNs that are left out|a log on a server|settings of a NIC's link", ""},
		{"rd.systemd.mount-extra=x rd.systemd.wants=x", "a mount before the real system|units of systemd", ""},
		{"overlayroot=tmpfs overlayroot=disabled", "", ""},
		{"overlayroot=disabled overlayroot=tmpfs", "a writable layer over root", "overlayroot="},
		{"rd.lvm.vg=vg0 rd.lvm.lv=vg0/root rd.lvm.lv=vg0/swap", "", ""},
		{"rd.lvm.snapshot=a rd.lvm.snapsize=1 rd.lvm.conf=0", "settings of LVM", ""},
		{"rd.lvm.vg=vg0 rd.lvm=0", "", ""},
		{"rd.luks=0 rd.luks.uuid=x luks.uuid=y", "", ""},
		{"dolvm domdadm dodmraid domultipath dobcache dozfs dosshd", "a RAID of the firmware|bcache|ZFS|an SSH server", ""},
		{"rd.md.x raid=part raid=partitionable raid=noautodetect", "settings of md arrays", ""},
		{"cryptdevice=/dev/sda2:root crypt_root=/dev/sda2 rd.luks.name=x=root", "LUKS", ""},
		{"multipath=on mpath rd.multipath rd.multipath=default domultipath", "", ""},
		{"ostree=/ostree/boot.1/x", "OSTree", ""},
		{"nfsroot=10.1.1.1:/x nbdroot=x fcoe=eth0:dcb cifspass=sesame rd.nvmf.discover=tcp,10.1.1.1", "an NFS root|a CIFS root|an NBD root|FCoE|NVMe over Fabrics", ""},
		{"roothash=abc mount.usr=/dev/x zfs=tank/root ignition.firstboot", "dm-verity|ZFS|another /usr than that of root's fstab|Ignition", ""},
	} {
		plan, err := parse(overlayBoot + tt.line)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
		}
		var kinds []string
		for _, w := range plan.Warnings {
			_, w, _ = strings.Cut(w, " for ")
			what, _, ok := strings.Cut(w, ", which"+nothing)
			if !ok || strings.Contains(w, "sesame") {
				t.Errorf("%s: warning %q", tt.line, w)
			}
			kinds = append(kinds, what)
		}
		if got := strings.Join(kinds, "|"); got != tt.kinds || plan.Overlay != tt.overlay {
			t.Errorf("%s: asks for %q, overlay %q, want %q, %q", tt.line, got, plan.Overlay, tt.kinds, tt.overlay)
		}
	}
}

// The line is not cut, and has the place of every word and how to suppress it.
func TestNotSupportedText(t *testing.T) {
	line := bootspec.Add(cmdline.Line{}, cmdline.Parse("rd.luks.uuid=x"), "/etc/cmdline.d/20-luks.conf")
	line.Params = append(line.Params, cmdline.Parse("rd.luks overlayroot=tmpfs rd.luks.name=a rd_LUKS_UUID=b").Params...)
	plan, err := bootspec.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	checkWarnings(t, "two kinds", plan.Warnings, []string{
		"overlayroot= asks for a writable layer over root, which is not supported: root is mounted as it is, and the image's fstab may make it writable; rd.iscsiroot.ignore=overlay suppresses this warning",
		"rd.luks.uuid= in /etc/cmdline.d/20-luks.conf, rd.luks, rd.luks.name= and 1 more ask for LUKS, which is not supported: root is searched for directly on the iSCSI disks, " +
			"and the rest is left to the real system; rd.iscsiroot.ignore=luks suppresses this warning",
	})
	for ignore, left := range map[string]int{"overlay": 1, "luks": 1, "overlay,luks": 0, "lvm": 2} {
		line.Params = append(line.Params[:5:5], cmdline.Param{Key: "rd.iscsiroot.ignore", Value: ignore, HasValue: true})
		plan, err := bootspec.Parse(line)
		if err != nil || len(plan.Warnings) != left || (plan.Overlay == "") != strings.Contains(ignore, "overlay") {
			t.Errorf("%s: %v, warnings %q, overlay %q", ignore, err, plan.Warnings, plan.Overlay)
		}
	}
}

// No word is in two places of the tables, and no kind is without a name, words and a test above.
func TestKinds(t *testing.T) {
	seen := map[string]string{}
	for _, row := range bootspec.Table() {
		for _, name := range row.Names() {
			seen[name] = "the table"
		}
	}
	for name, words := range bootspec.Kinds() {
		if name == "" || words == "" || strings.ContainsAny(name, ", ") {
			t.Errorf("kind %q of words %q", name, words)
		}
		for word := range strings.FieldsSeq(words) {
			if in := seen[word]; in != "" {
				t.Errorf("%s is a word of %s and of %s", word, name, in)
			}
			seen[word] = name
		}
	}
}

// A kind that is not known does not stop the boot: a later version may support what it is about.
// Words that are given again add up.
func TestIgnore(t *testing.T) {
	plan, err := parse("rd.iscsiroot.ignore=overlay rd.iscsiroot.ignore=foo,lvm overlayroot=tmpfs dolvm")
	if err != nil || !plan.Ignores("overlay") || !plan.Ignores("lvm") || plan.Overlay != "" {
		t.Errorf("%+v, overlay %q, %v", plan.Ignore, plan.Overlay, err)
	}
	if text := strings.Join(plan.Warnings, "\n"); !strings.HasPrefix(text, `rd.iscsiroot.ignore=: unknown kind "foo": write some of overlay, `) || strings.Contains(text, "\n") {
		t.Errorf("warnings are %q", text)
	}
}
