package bootspec

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Parameter is one row of the table of parameters; iscsiroot-parameters(7) shows it.
type Parameter struct {
	Key string // as users write it
	// Aliases are a dotted name, which the kernel does not put into init's environment, and the
	// names that other systems use for the same parameter.
	Aliases []string
	Value   string // form of the value; empty for a flag
	Help    string

	set func(*parser, cmdline.Param) error
}

// Names returns the key and its aliases.
func (p Parameter) Names() []string { return append([]string{p.Key}, p.Aliases...) }

// Table lists every parameter that Parse reads, by topic. iscsiroot-parameters(7) shows them in
// another order.
func Table() []Parameter {
	return slices.Concat(machineParameters(), netParameters(), targetParameters(), dracutParameters(), loginParameters(), multipathParameters(), rootParameters(), policyParameters())
}

func aliases(names ...string) []string { return names }

// machineParameters describe this machine and its network.
func machineParameters() []Parameter {
	return []Parameter{
		{"iscsi_i", aliases("rd.iscsiroot.initiator", "rd.iscsi.initiator", "iscsi_initiator", "ISCSI_INITIATOR", "iscsi_initiatorname", "InitiatorName"), "NAME", "initiator name of this machine", (*parser).initiator},
		{"iscsi_i_ip", aliases("rd.iscsiroot.ip"), "ADDRESS/MASK", "this machine's address; mask as dotted quad or prefix length", (*parser).address},
		{"iscsi_if", aliases("rd.iscsiroot.interface"), "NIC", "NIC to use: its name, its MAC, or the address of its PCI device such as 0000:00:03.0; without it a static address is set on the NIC on whose link the target or its gateway answers, and DHCP requests are sent on all NICs: those that get a lease stay up until root is found, and those that carry a session stay up after that", (*parser).iface},
		{"iscsi_gw", aliases("rd.iscsiroot.gateway", "gateway"), "ADDRESS", "default gateway", (*parser).gateway},
		{"iscsi_dhcp_id", aliases("rd.iscsiroot.dhcp_id"), "ID", "DHCP client identifier (option 61): mac for 01 and the MAC of the NIC, as iPXE and Windows send it; or its bytes in hex with colons, or TYPE,TEXT; without it an identifier is derived from the MAC (RFC 4361), and after two unanswered requests every second request is sent with that of mac", (*parser).clientID},
		{"nameserver", aliases("rd.iscsiroot.nameserver"), "ADDRESS", "name server for the names in iscsi_a=; may be repeated", (*parser).nameserver},
		{"iscsi_keep_address", aliases("rd.iscsiroot.keep_address"), "[0]", "restore the boot address if the running system removes it and has no other address, or none that reaches a target for 10 s; a leased address is restored until its lease expires (default: yes); 0: never restore it, nor move it to a bridge or a bond that the NIC becomes a port of", (*parser).keepAddress},
	}
}

// targetParameters may be given once for each target: a number after the name selects the target.
func targetParameters() []Parameter {
	return []Parameter{
		{"iscsi_t", aliases("rd.iscsiroot.target", "rd.iscsi.target.name", "iscsi_target_name", "ISCSI_TARGET_NAME", "iscsi_target", "TargetName"), "NAME", "target name; a second target is given by iscsi_t.2=, a third by iscsi_t.3=, up to 9, each with iscsi_a.2=, iscsi_p.2= and likewise g, lun, u, w, U and W", (*parser).targetName},
		{"iscsi_a", aliases("rd.iscsiroot.address", "rd.iscsi.target.ip", "iscsi_target_ip", "iscsi_t_ip", "ISCSI_TARGET_IP", "iscsi_address", "TargetAddress"), "ADDRESS[,ADDRESS]", "address of the target: an IP address or a host name, with :PORT if needed (then IPv6 in brackets); several are separated by commas; a further target without it has the address of the first", (*parser).portal},
		{"iscsi_p", aliases("rd.iscsiroot.port", "rd.iscsi.target.port", "iscsi_target_port", "ISCSI_TARGET_PORT", "iscsi_port", "TargetPort"), "PORT", "port of the target's portal (default 3260)", (*parser).port},
		{"iscsi_g", aliases("rd.iscsiroot.group", "rd.iscsi.target.group", "iscsi_target_group", "ISCSI_TARGET_GROUP", "iscsi_tgpt"), "TAG", "target portal group tag to expect", (*parser).group},
		{"iscsi_lun", aliases("rd.iscsiroot.lun"), "N", "LUN that holds root: a decimal number, 0x and hex, or groups of hex digits with hyphens; without it LUN 0 is searched, then the target's other LUNs in ascending order until root is found; the LUNs without root are detached again", (*parser).lun},
		{"iscsi_u", aliases("rd.iscsiroot.user", "rd.iscsi.username", "iscsi_username", "ISCSI_USERNAME"), "NAME", "CHAP: this machine's user", (*parser).user},
		{"iscsi_w", aliases("rd.iscsiroot.secret", "rd.iscsi.password", "iscsi_password", "ISCSI_PASSWORD"), "SECRET", "CHAP: this machine's secret, as text, 0x and hex, or 0b and base64; better stored in " + CredentialsPath, (*parser).secret},
		{"iscsi_U", aliases("rd.iscsiroot.target_user", "rd.iscsi.in.username", "iscsi_in_username", "ISCSI_IN_USERNAME", "iscsi_username_in"), "NAME", "mutual CHAP: the target's user", (*parser).targetUser},
		{"iscsi_W", aliases("rd.iscsiroot.target_secret", "rd.iscsi.in.password", "iscsi_in_password", "ISCSI_IN_PASSWORD", "iscsi_password_in"), "SECRET", "mutual CHAP: the target's secret; better stored in " + CredentialsPath, (*parser).targetSecret},
	}
}

// netParameters are the kernel's, dracut's and PXELINUX's for the network.
func netParameters() []Parameter {
	return []Parameter{
		{"ip", aliases("nfsaddrs"), "CONFIG", "network configuration in all forms of the kernel and dracut: dhcp, NIC:dhcp, CLIENT:PEER:GATEWAY:MASK:HOST:NIC:none, and the form of PXELINUX's IPAPPEND; methods are dhcp, dhcp6, auto6, either6, link6 and none; several methods, with commas, are tried in their order; a NIC alone means dhcp on that NIC; may be repeated, once for each NIC; the address in iscsi_i_ip= takes precedence", (*parser).ipLine},
		{"BOOTIF", aliases("hwaddr"), "[MAC]", "MAC of the NIC to use, in the form of PXELINUX and iPXE, unless another parameter names a NIC; ip= and other parameters may refer to this NIC by the name BOOTIF", (*parser).bootif},
		{"rd.bootif", nil, "[0]", "0: ignore BOOTIF=", (*parser).useBootif},
		{"bootdev", nil, "NIC", "name or MAC of the NIC whose ip= the boot uses", (*parser).bootdev},
		{"ksdevice", nil, "[NIC]", "same as bootdev=", (*parser).ksdevice},
		{"netmask", nil, "MASK", "netmask for a bare address in ip=", (*parser).netmask},
		{"mtu", nil, "BYTES", "MTU of the boot NIC", (*parser).mtu},
		{"hostname", nil, "[NAME]", "this machine's name", (*parser).hostname},
		{"ifname", nil, "NAME:MAC", "give the NIC of this MAC this name", (*parser).ifname},
		{"net.ifnames", nil, "[0]", "0: NICs keep the kernel's names, unless a .link file has a Name=; without it NICs get the names that udev derives from the image's .link files and from their location, such as ens3, unless a parameter uses the kernel's name", (*parser).keepNames},
		{"rd.route", nil, "NETWORK/LENGTH:GATEWAY[:NIC]", "static route; without a gateway the network is on the link; IPv6 in brackets; may be repeated", (*parser).route},
		{"vlan", nil, "NAME:NIC", "create a VLAN on a NIC, bond or bridge; the name ends in the VLAN number: vlan5, eth0.5; may be repeated", (*parser).vlan},
		{"bond", nil, "[NAME:NIC,NIC:OPTIONS:MTU]", "create a bond; the options are the kernel's, separated by commas: mode=active-backup,miimon=100; may be repeated", (*parser).bond},
		{"bridge", nil, "[NAME:NIC,NIC]", "create a bridge; may be repeated", (*parser).bridge},
		{"team", nil, "[NAME:NIC,NIC]", "not supported: use bond=", (*parser).team},
		{"rd.neednet", nil, "[0]", "accepted for compatibility: the network is always brought up", (*parser).needNet},
		{"rd.peerdns", nil, "[0]", "0: ignore name servers from DHCP and router advertisements", (*parser).peerDNS},
		{"rd.net.timeout.dhcp", nil, "[SECONDS]", "how long each method of ip= is tried before the next, if ip= names several (default 15)", (*parser).netTimeout},
		{"rd.net.timeout.carrier", aliases("rd.net.timeout.iflink", "rd.net.timeout.ifup", "rd.net.timeout.route", "rd.net.timeout.ipv6dad", "rd.net.timeout.ipv6auto"), "[SECONDS]", "accepted for compatibility, ignored: rd.timeout= limits the wait for the network", (*parser).netTimeout},
	}
}

// dracutParameters are dracut's and Debian's for iSCSI, in addition to the aliases in
// targetParameters.
func dracutParameters() []Parameter {
	return []Parameter{
		{"netroot", nil, "[iscsi:HOST:PROTOCOL:PORT:LUN:TARGET]", "target in dracut's form, with USER:SECRET@ before the host if needed; the LUN is decimal; iscsi alone: the target in the firmware's iBFT; dhcp: the target in DHCP's root path; may be repeated: the same target at another portal is another path", (*parser).netroot},
		{"iscsiroot", nil, "HOST:PROTOCOL:PORT:LUN:TARGET", "old name of netroot=", (*parser).iscsiroot},
		{"rd.iscsi.firmware", aliases("iscsi_firmware", "iscsi_auto", "ISCSI_AUTO"), "[0]", "log in to the targets in the firmware's iBFT; 0: do not log in to them, even if no other source names a target", (*parser).firmware},
		{"iscsi_noibft", nil, "[0]", "genkernel's name for rd.iscsi.firmware=0", (*parser).noFirmware},
		{"rd.iscsi.ibft", nil, "[0]", "use the addresses in the firmware's iBFT", (*parser).firmwareNet},
		{"rd.iscsi.mp", nil, "[0]", "use all NICs in the iBFT, not only those that the firmware booted by, and if it has several targets, log in to all as paths of multipath maps", (*parser).firmwareAll},
		{"rd.iscsi.param", aliases("iscsi_param"), "NAME=VALUE", "setting of open-iscsi's iscsid.conf; supported are node.conn[0].iscsi.HeaderDigest and DataDigest, node.session.auth.chap_algs, node.session.timeo.replacement_timeout, and node.conn[0].timeo.noop_out_interval and noop_out_timeout", (*parser).setting},
		{"rd.iscsi.login_retry_max", nil, "[N]", "accepted for compatibility, ignored: rd.timeout= limits how long a login is retried", (*parser).retries},
		{"rd.iscsi.waitnet", nil, "[0]", "accepted for compatibility, ignored", (*parser).accept},
		{"rd.iscsi.testroute", nil, "[0]", "accepted for compatibility, ignored", (*parser).accept},
		{"doscsi", aliases("iSCSI_ignoreNodes", "nodetect", "dokeymap", "quiet_genkernel", "crypt_silent", "nounionfs"), "[0]", "accepted for compatibility with genkernel and SUSE's mkinitrd, ignored", (*parser).accept},
		{"rd.iscsi.transport", nil, "tcp", "iSCSI transport; only tcp is supported", (*parser).transport},
	}
}

// loginParameters apply to the logins to all targets.
func loginParameters() []Parameter {
	return []Parameter{
		{"iscsi_chap", aliases("rd.iscsiroot.chap"), "HASH[,HASH]", "CHAP algorithms to offer: md5, sha1, sha256, sha3-256 (default: all)", (*parser).algorithms},
		{"iscsi_chap_strict", aliases("rd.iscsiroot.chap_strict"), "[0]", "refuse CHAP secrets shorter than 12 bytes (96 bits, RFC 7143 9.2.1); without it a warning is logged", (*parser).strictCHAP},
		{"iscsi_header_digest", aliases("rd.iscsiroot.header_digest"), "none|accept|prefer|require", "CRC32C over the headers of PDUs: accept (default) offers None, then CRC32C, so that a target can require it", (*parser).headerDigest},
		{"iscsi_data_digest", aliases("rd.iscsiroot.data_digest"), "none|accept|prefer|require", "CRC32C over the data of PDUs: accept (default) offers None, then CRC32C, so that a target can require it", (*parser).dataDigest},
		{"iscsi_recovery_tmo", aliases("rd.iscsiroot.recovery_tmo"), "SECONDS", "how long the kernel queues I/O while a session is down before the I/O fails (default 86400, a day), or while a multipath map has no path that works; 0: I/O fails immediately; -1: I/O never fails", (*parser).recoveryTimeout},
		{"iscsi_mirror_tmo", aliases("rd.iscsiroot.mirror_tmo"), "SECONDS", "how long a session is down before it is ended, so that a mirror or RAID with enough members left goes on without its disks (default 10); 0: never", (*parser).mirrorTimeout},
		{"iscsi_nop_interval", aliases("rd.iscsiroot.nop_interval"), "SECONDS", "how long a connection is idle before the kernel sends a NOP-Out to the target (default 15, on paths of multipath maps 2); 0: no NOP-Out is sent", (*parser).pingInterval},
		{"iscsi_nop_timeout", aliases("rd.iscsiroot.nop_timeout"), "SECONDS", "how long the kernel waits for the answer to a NOP-Out before the connection is dropped and the session is recovered (default 30, on paths of multipath maps 3); 0: no NOP-Out is sent", (*parser).pingTimeout},
	}
}

// multipathParameters select which sessions are paths to the same disks.
func multipathParameters() []Parameter {
	return []Parameter{
		{"iscsi_multipath", aliases("rd.iscsiroot.multipath"), "[0|NIC,NIC|WWID]", "make a session for each portal of each target, from each NIC that ip= names or that is listed here by name or MAC, and a multipath map of their disks; a WWID in the list joins the disks that have it also where their targets have different names and the WWID is not unique by its form; 0: one session to each target, and no maps; without it there are maps where netroot= or the iBFT names a target several times, and where the disks of several targets are the same LUN", (*parser).multipath},
		{"mpath.wwid", nil, "WWID", "join the disks of this WWID as in iscsi_multipath=WWID, and make no more sessions; may be repeated", (*parser).wwid},
		{"rd.multipath", aliases("multipath", "mpath", "domultipath"), "[0]", "0, off, no: same as iscsi_multipath=0; other values are accepted for compatibility and make no more sessions: disks of several sessions are joined without them", (*parser).otherMultipath},
		{"nompath", nil, "[0]", "same as iscsi_multipath=0", (*parser).noMultipath},
	}
}

// rootParameters select root and how it is mounted.
func rootParameters() []Parameter {
	return []Parameter{
		{"root", aliases("real_root", "rootdev"), "DEVICE", "root device on a disk of the iSCSI sessions: /dev/sdXN, where X counts these disks only, UUID=, LABEL=, PARTUUID=[/PARTNROFF=], PARTLABEL=, MAJ:MIN, /dev/disk/by-*/..., the logical volume /dev/VG/LV or /dev/mapper/VG-LV, the md array /dev/md/NAME or one of its partitions, or the multipath map /dev/mapper/WWID or its partition /dev/mapper/WWID-partN; or the target as in netroot=, or dhcp; default: /dev/sda2, then the first partition, whole LUN, md array or logical volume that holds a file system with an init", (*parser).root},
		{"rootfallback", nil, "DEVICE", "root device to use if root= was not found in time; may be repeated", (*parser).fallback},
		{"rd.root.any", nil, "[0]", "search local disks for root as well", (*parser).anyDisk},
		{"rd.lvm.lv", aliases("rd_LVM_LV"), "VG/LV", "look for root in this logical volume, and in no other that is not named; may be repeated; a volume that root= names is found without it", (*parser).lvmName},
		{"rd.lvm.vg", aliases("rd_LVM_VG"), "VG", "look for root in the logical volumes of this volume group, and in no other that is not named; may be repeated", (*parser).lvmName},
		{"rd.lvm", nil, "[0]", "0: look for root in no logical volume, unless root= names one", (*parser).lvm},
		{"rd.lvm.system_id", nil, "ID", "the system id of this machine (lvmsystemid(7)): a volume group that has one is used only if it is this", (*parser).lvmSystemID},
		{"rd_NO_LVM", aliases("nolvm"), "", "old names of rd.lvm=0", (*parser).noLVM},
		{"dolvm", aliases("lvmraid", "lvmwait"), "[NAME]", "accepted for compatibility, ignored: logical volumes are searched", (*parser).accept},
		{"rd.md.uuid", aliases("rd_MD_UUID"), "UUID", "start this md array to look for root, and no other that is not named, nor those that it stands on; may be repeated; an array that root= names is started without it", (*parser).mdUUID},
		{"rd.md", nil, "[0]", "0: start no md array, unless root= names one", (*parser).md},
		{"rd_NO_MD", nil, "", "old name of rd.md=0", (*parser).noMD},
		{"rd.auto", aliases("domdadm"), "[0]", "accepted for compatibility, ignored: the md arrays that root may be on are started", (*parser).mdOther},
		{"rd.md.conf", aliases("rd_NO_MDADMCONF", "raid"), "[0]", "accepted for compatibility, ignored: arrays are found by their superblocks", (*parser).mdOther},
		{"rd.md.imsm", aliases("rd_NO_MDIMSM", "rd.md.ddf"), "[0]", "accepted for compatibility, ignored: arrays of a firmware are not supported", (*parser).mdOther},
		{"rd.md.waitclean", nil, "[0]", "accepted for compatibility, ignored: arrays are stopped at shutdown", (*parser).mdOther},
		{"rootwait", nil, "[SECONDS]", "how long to wait for the root device (default 5 s); without a number: without limit", (*parser).wait},
		{"rootdelay", nil, "SECONDS", "how long to wait before the search for root", (*parser).delay},
		{"rootfstype", nil, "TYPE[,TYPE]", "file system types to try, in this order: ext4, xfs, btrfs, f2fs, erofs, squashfs, ...; default: detected by superblock", (*parser).fstype},
		{"rootflags", aliases("real_rootflags"), "OPTIONS", "mount options for root", (*parser).flags},
		{"ro", nil, "", "mount root read-only (default)", (*parser).ro},
		{"rw", nil, "", "mount root read-write", (*parser).rw},
		{"init", aliases("real_init"), "PATH", "init program on root (default: the first of /sbin/init, /etc/init, /bin/init)", (*parser).init},
	}
}

// policyParameters select what to do on failures.
func policyParameters() []Parameter {
	return []Parameter{
		{"rd.timeout", nil, "SECONDS", "how long to retry temporary failures (default 0: without limit)", (*parser).timeout},
		{"rd.emergency", aliases("gk.emergency"), "reboot|poweroff|halt", "what to do 60 s after a permanent failure (default reboot)", (*parser).emergency},
		{"iscsi_shutdown_timeout", aliases("rd.iscsiroot.shutdown_timeout"), "SECONDS", "how long the shutdown of the real system waits for a root disk that does not answer before it stops the machine (default 0: without limit)", (*parser).shutdownTimeout},
		{"rd.break", nil, "[STEP]", "open a shell before the step; without a step, before switch-root", (*parser).breakpoint},
		{"rd.shell", nil, "[PATH|0]", "open a shell when a step fails permanently: the built-in one, or the program at PATH in the image", (*parser).shell},
		{"rd.shell.password", nil, "HASH", "hash of the password that the shell requires, as printed by mkpasswd -m sha-512 or openssl passwd -6; valid only in the image's policy, /etc/iscsiroot/policy", (*parser).password},
		{"modprobe.blacklist", aliases("blacklist"), "NAME[,NAME]", "do not load these modules for a device; may be repeated, as may the next four", (*parser).modules},
		{"module_blacklist", nil, "NAME[,NAME]", "never load these modules (the kernel enforces it)", (*parser).modules},
		{"rd.driver.pre", nil, "NAME[,NAME]", "load these modules before all others", (*parser).modules},
		{"rd.driver.post", nil, "NAME[,NAME]", "load these modules after all others", (*parser).modules},
		{"rd.driver.blacklist", nil, "NAME[,NAME]", "same as modprobe.blacklist=", (*parser).modules},
		{"rd.watchdog", nil, "[0]", "0: load no driver for a hardware watchdog; without it drivers are loaded, and a watchdog that the firmware left running gets keepalives during the boot", (*parser).watchdog},
		{"rd.debug", nil, "", "print every step, the plan and the source of each value", (*parser).debug},
		{"rd.iscsiroot.ignore", nil, "KIND[,KIND]", "ignore parameters for unsupported features of these kinds: no warning is printed, and the boot does not stop where root is writable without the requested overlay; kinds are " + kindNames(), (*parser).ignored},
		{"panic", nil, "SECONDS", "seconds until the kernel reboots after a panic; if not given it is 30 during the boot, so that a crash of init reboots the machine", (*parser).panics},
	}
}
