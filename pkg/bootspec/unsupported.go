package bootspec

import (
	"cmp"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// kindTable lists features of other initramfs that are not supported: the name in
// rd.iscsiroot.ignore=, the feature, what happens instead, and the words that request it: names of
// parameters, with a * at the end for a prefix, or NAME=VALUE for one value only; NAME=* is every
// name of a script. A word with a ! switches the kind off. The words are of dracut
// (dracut.cmdline(7)) and its old names, systemd (kernel-command-line(7)), Debian's overlayroot,
// live-boot, cryptsetup and fsprotect, OpenZFS's scripts, genkernel(8), mkinitcpio(8), Alpine's
// mkinitfs-bootparam(7), Flatcar's bootengine, Fedora CoreOS, KIWI and the kernel. A feature that
// becomes supported is removed here.
const kindTable = `
overlay | a writable layer over root | root is mounted as it is, and the image's fstab may make it writable | overlayroot overlay rd.overlay rd.overlayfs rd.live.overlay rd.live.overlay.overlayfs rootovl boot=overlay overlayfs overlayfs.* aufs aufs.* unionfs overlaytmpfs overlaytmpfsflags fsprotect union systemd.volatile=overlay systemd.volatile=yes systemd.volatile=true systemd.volatile=on systemd.volatile=1
overlay-settings | settings of a writable layer over root | there is no such layer | rd.overlay.* rd.live.overlay.* overlayroot_cfgdisk reset_overlay readonly_overlay
stateless | a system without state of its own | root is mounted as it is | stateless
live | a live system in an image file | root is a file system on an iSCSI disk | rd.live.* live_* live.updates rd.writable.fsimg boot=live boot=casper live-media live-media-* layerfs-path bootfrom toram copytoram todisk persistence persistent persistence-* findiso fromiso iso-scan/filename fetch httpfs archisobasedir archisodevice archisolabel archiso_* cow_* cdroot cdroot_* loop looptype isoboot verify liveimg coreos.live.* rd.systemd.pull alpine_dev alpine_repo apkovl modloop ovl_dev inst.* ks
install | an installation | root is a file system that is there already | coreos.inst.* rd.kiwi.* kiwi_*
lvm | settings of LVM | the defaults apply | rd.lvm.* rd_LVM_*
md | settings of md arrays | arrays are found by their superblocks | rd.md.* part partitionable
dmraid | a RAID of the firmware | | !rd_NO_DM !nodmraid rd.dm rd.dm.* rd_DM_UUID dodmraid
luks | LUKS | | !rd_NO_LUKS !noluks rd.luks rd.luks.* luks luks.* rd_LUKS_* cryptdevice cryptkey crypto cryptopts cryptroot cryptdm cryptheader cryptoffset cryptdiscards crypt_* root_key* root_header* root_trim swap_key* swap_header* keyctl_*
bcache | bcache | | dobcache rd.bcache
stratis | Stratis | | stratis.rootfs.*
verity | dm-verity | | roothash usrhash systemd.verity rd.systemd.verity systemd.verity_* verity.* dm-verity-*
zfs | ZFS | | zfs boot=zfs zfs_force zfsforce zfs_debug zfsdebug dozfs bootfs bootfs.* rpool spl_hostid
ostree | OSTree | | ostree ostree.* composefs
usr | another /usr than that of root's fstab | fstab is used | mount.usr mount.usrfstype mount.usrflags usr usrfstype usrflags
mount | a mount before the real system | fstab is used | rd.systemd.mount-extra
units | units of systemd | they are of the real system alone | rd.systemd.wants rd.systemd.mask rd.systemd.run
resume | an end of hibernation | the machine boots | real_resume
ssh | an SSH server | there is none before the real system | dosshd gk.sshd.* ssh_key
ignition | Ignition | it is left out | ignition.* coreos.first_boot coreos.config.url flatcar.first_boot flatcar.config.url flatcar.randomize_disk_guid
keys | keys for the integrity or the encryption of files | none are loaded | masterkey masterkeytype ecryptfskey evmkey evmx509
fips | a check of the kernel's integrity | it is left out | !rd.fips.skipkernel rd.fips
caps | fewer capabilities for the real init | it has all of them | rd.caps rd.caps.*
convertfs | a move of directories into /usr | they stay where they are | rd.convertfs
nfs | an NFS root | | nfsroot boot=nfs netboot nfsopts rd.nfs.domain
cifs | a CIFS root | | cifsroot cifsuser cifspass
nbd | an NBD root | | nbdroot nbdport nbd
aoe | ATA over Ethernet | | aoe aoe_iflist aoe_mtu
fcoe | FCoE | | !rd.nofcoe fcoe rd.fcoe
nvmf | NVMe over Fabrics | | !rd.nonvmf !rd.nvmf.nonbft !rd.nvmf.nostatic rd.nvmf.* nvmf.*
s390 | channel devices of S/390 | there are none here | rd.dasd rd.dasd.* rd.zfcp rd.zfcp.* rd.znet rd.znet_ifname rd.zdev rd.cio_accept rd.zipl rd.dcssblk dasd zfcp s390x_net
lunmask | LUNs that are left out | every LUN of the target is seen | rd.lunmask
syslog | a log on a server | the kernel's log has all | syslog.server syslog.filter syslog.type syslogtype
link | settings of a NIC's link | the driver's count | rd.ethtool ib.pkey
boot-script | a boot script of initramfs-tools | root is mounted from a LUN | boot=*`

// plainRoot is what happens instead for kinds whose column is empty.
const plainRoot = "root is searched for directly on the iSCSI disks, and the rest is left to the real system"

// rootTable lists prefixes of values of root= that are not supported. Those of another protocol,
// which are marked, are ignored if a target is given, as dracut ignores protocols that it has no
// handler for.
const rootTable = `
/dev/nfs nfs: nfs4: | an NFS root | protocol
cifs: | a CIFS root | protocol
nbd: /dev/nbd | an NBD root | protocol
fcoe: | FCoE | protocol
aoe: /dev/etherd/ | ATA over Ethernet | protocol
rbd: /dev/rbd ceph: | a Ceph root | protocol
9p: virtiofs: | a root in a directory of the host | protocol
http: https: ftp: tftp: | an image of a server | protocol
live: | a live system in an image file
gpt-auto | a root that its partition's type names
ZFS= zfs: zfs | ZFS
/dev/mapper/luks- | LUKS
/dev/mapper/ /dev/dm- | a device of the device mapper other than a logical volume or a multipath map`

// insteadTable lists words of other initramfs that have other names here, or need none:
// initramfs-tools(7), mkinitcpio(8), genkernel(8), SUSE's mkinitrd, live-boot(7)
// (iscsi=SERVER[,PORT];TARGET), old names of dracut's, the kernel's list of an array's members
// (Documentation/admin-guide/md.rst).
const insteadTable = `
break rdbreak | write rd.break=STEP
noload rdblacklist | write modprobe.blacklist=NAME
doload firstmods earlymodules rdloaddriver | write rd.driver.pre=NAME
disablehooks | there are no hooks; write rd.break=STEP to stop before a step
scandelay | the boot waits for disks; write rootdelay=SECONDS for a fixed time
rootfs | write rootfstype=TYPE
subdir | write root= of a file system whose top directory is that of the real system
iscsi_debug rdinfo rddebug rdinitdebug rdnetdebug | write rd.debug
linuxrc | write rd.debug in place of linuxrc=debug
rdshell | write rd.shell
rd.systemd.unit rd.systemd.break rd.systemd.debug_shell rd.rescue | write rd.break=STEP for a shell
rd.modules_load rd.modules_force_load modules | write rd.driver.pre=NAME
booster.* debug_init | write rd.debug
init_opts init_args | write the arguments of the real init after -- at the end of the command line
rd.net.dns | write nameserver=ADDRESS
rd.net.dns-resolve-mode rd.net.dns-backend rd.net.dns-global-mode | name servers are queried over UDP and TCP, in their order
rd.net.dhcp.client-id | write iscsi_dhcp_id=ID
rd.net.dhcp.retry | DHCP requests are sent until a server answers or rd.timeout= expires
rd.net.dhcp.vendor-class rd.net.dhcp.dscp | it is not sent
ip6 | write ip=dhcp6, ip=auto6, or ip= with an address in brackets
md | arrays are found by their superblocks, and those of version 0.90 are not supported (mdadm --assemble --update=metadata writes version 1.0 in their place): write root=/dev/mdN
coreos.no_persist_ip coreos.force_persist_ip | the boot's addresses are handed over to the real system
rd.retry | write rd.timeout=SECONDS
rd.cmdline | write rd.break=modules, and at the shell: retry NAME=VALUE
iscsi | write iscsi_a=ADDRESS:PORT and iscsi_t=NAME
gk.* | a genkernel setting`

// kind is a row of kindTable.
type kind struct {
	name    string // in rd.iscsiroot.ignore=
	what    string
	instead string // what happens instead
	words   []string
}

// kinds returns the kinds in the order of their warnings.
func kinds() (out []kind) {
	for _, row := range rows(kindTable) {
		out = append(out, kind{row[0], row[1], cmp.Or(row[2], plainRoot), strings.Fields(row[3])})
	}
	return out
}

// rows splits a table into rows and cells.
func rows(table string) (out [][]string) {
	for _, line := range strings.Split(table[1:], "\n") {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, cells)
	}
	return out
}

// switchedOff reports whether the value of a word switches its feature off, in any of the programs
// that the words are of.
func switchedOff(p cmdline.Param) bool {
	switch p.Value {
	case "0", "no", "off", "false", "none", "disabled", "noautodetect", "":
		return p.HasValue
	}
	return false
}

// rootKind returns what a value of root= is that is not supported, "" if it is unknown, and whether
// it is of another protocol.
func rootKind(value string) (what string, protocol bool) {
	for _, row := range rows(rootTable) {
		for _, begin := range strings.Fields(row[0]) {
			if strings.HasPrefix(value, begin) {
				return row[1], len(row) > 2
			}
		}
	}
	return "", false
}
