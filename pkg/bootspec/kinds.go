package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// kind is something that other initramfs do between the kernel and the real
// init, and this one does not.
type kind struct {
	name string // in rd.iscsiroot.ignore=
	what string // that is asked for
	then string // what happens instead
	// words ask for it: names of parameters, with a * at the end for all that begin
	// so, or NAME=VALUE where only that value does.
	words string
}

const (
	plainRoot = "root is looked for on the disks of our sessions themselves, and what else is there is left to the real system"
	oneRoot   = "root is on the disks of our sessions"
)

// kinds lists what is asked for by words of dracut (dracut.cmdline(7)), systemd
// (kernel-command-line(7)), Debian's overlayroot, live-boot, cryptsetup and
// fsprotect, genkernel(8), mkinitcpio(8), Alpine's mkinitfs and the kernel. What
// gets supported is taken out here.
func kinds() []kind {
	return []kind{
		{"overlay", "a writable layer over root", "root is mounted as it is, and the image's fstab may make it writable", "overlayroot overlayroot_cfgdisk rd.overlay rd.overlay.* rd.overlayfs " +
			"rd.live.overlay rd.live.overlay.* rootovl boot=overlay overlayfs overlayfs.* aufs aufs.* unionfs overlaytmpfs overlaytmpfsflags fsprotect union " +
			"systemd.volatile=overlay systemd.volatile=yes systemd.volatile=true systemd.volatile=on systemd.volatile=1"},
		{"live", "a live system in an image file", oneRoot, "rd.live.* rd.writable.fsimg boot=live boot=casper live-media live-media-* bootfrom toram copytoram todisk persistence " +
			"persistent persistence-* findiso fromiso iso-scan/filename fetch httpfs archisobasedir archisodevice archisolabel archiso_* cow_* cdroot cdroot_* loop " +
			"looptype isoboot verify liveimg coreos.live.* inst.* ks"},
		{"lvm", "LVM", plainRoot, "rd.lvm rd.lvm.vg rd.lvm.lv rd.lvm.snapshot rd.lvm.snapsize rd_LVM_* dolvm lvmraid lvmwait"},
		{"md", "an md array", plainRoot, "rd.md rd.md.uuid rd_MD_UUID domdadm md raid part partitionable"},
		{"dmraid", "a RAID of the firmware", plainRoot, "rd.dm rd.dm.uuid rd_DM_UUID dodmraid"},
		{"luks", "LUKS", plainRoot, "rd.luks rd.luks.* luks luks.* rd_LUKS_* cryptdevice cryptkey crypto cryptopts cryptroot cryptdm crypt_* root_key* root_header* root_trim " +
			"swap_key* swap_header* keyctl_*"},
		{"multipath", "multipath", plainRoot, "rd.multipath multipath mpath domultipath"},
		{"bcache", "bcache", plainRoot, "dobcache rd.bcache"},
		{"verity", "dm-verity", plainRoot, "roothash usrhash systemd.verity_* dm-verity-*"},
		{"zfs", "ZFS", plainRoot, "zfs zfs_force dozfs bootfs"},
		{"ostree", "OSTree", "the file system is the root as it is", "ostree ostree.* composefs"},
		{"usr", "another /usr than that of root's fstab", "fstab counts", "mount.usr mount.usrfstype mount.usrflags"},
		{"resume", "an end of hibernation", "the machine boots", "real_resume"},
		{"ssh", "an SSH server", "there is none before the real system", "dosshd gk.sshd.*"},
		{"ignition", "Ignition", "it is left out", "ignition.*"},
		{"nfs", "an NFS root", oneRoot, "nfsroot boot=nfs netboot nfsopts"},
		{"cifs", "a CIFS root", oneRoot, "cifsroot cifsuser cifspass"},
		{"nbd", "an NBD root", oneRoot, "nbdroot nbdport"},
		{"fcoe", "FCoE", oneRoot, "fcoe rd.fcoe"},
		{"nvmf", "NVMe over Fabrics", oneRoot, "rd.nvmf.* nvmf.*"},
	}
}

// kindOf returns what a word asks for, nil if that is nothing here. It is not on
// if the word can ask for that and does not, with the value that it has.
func kindOf(p cmdline.Param) (k *kind, on bool) {
	for _, one := range kinds() {
		for word := range strings.FieldsSeq(one.words) {
			name, value, some := strings.Cut(word, "=")
			if !matches(name, p.Key) {
				continue
			}
			if k == nil {
				k = &one
			}
			if some && p.HasValue && value == p.Value || !some && !switchedOff(p) {
				return &one, true
			}
		}
	}
	return k, false
}

// switchedOff tells the values by which a word asks for nothing: those of all
// the programs whose words they are.
func switchedOff(p cmdline.Param) bool {
	return p.HasValue && (off(p.Value) || slices.Contains([]string{"", "disabled", "none", "false", "noautodetect"}, p.Value))
}

// matches tells whether a key is a word of a kind's list, or begins as one with
// a *.
func matches(word, key string) bool {
	begin, all := strings.CutSuffix(word, "*")
	return key == word || all && strings.HasPrefix(key, begin)
}

// rootKind returns what a value of root= names that cannot be root here, "" if
// that is not known.
func rootKind(value string) string {
	for _, k := range []struct{ begin, what string }{
		{"/dev/nfs", "an NFS root"},
		{"nfs:", "an NFS root"},
		{"nfs4:", "an NFS root"},
		{"cifs:", "a CIFS root"},
		{"nbd:", "an NBD root"},
		{"/dev/nbd", "an NBD root"},
		{"virtiofs:", "a virtiofs root"},
		{"live:", "a live system in an image file"},
		{"ZFS=", "ZFS"},
		{"zfs:", "ZFS"},
		{"/dev/md", "an md array"},
		{"/dev/mapper/mpath", "multipath"},
		{"/dev/mapper/luks-", "LUKS"},
		{"/dev/mapper/", "a device of the device mapper, such as LVM, LUKS or multipath,"},
		{"/dev/dm-", "a device of the device mapper, such as LVM, LUKS or multipath,"},
	} {
		if strings.HasPrefix(value, k.begin) {
			return k.what
		}
	}
	// What is left below a directory of /dev is a volume group's.
	if strings.HasPrefix(value, "/dev/") && !strings.HasPrefix(value, "/dev/disk/") && strings.Count(value, "/") == 3 {
		return "LVM"
	}
	return ""
}
