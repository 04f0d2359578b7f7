package bootspec

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Parameter is one row of the table of what we understand; iscsiroot-parameters(7) shows it.
type Parameter struct {
	Key string // as users write it
	// Aliases are a dotted name that costs no place in init's environment, and the names that
	// other systems have for the same.
	Aliases []string
	Value   string // form of the value; empty for a flag
	Help    string

	set func(*parser, cmdline.Param) error
}

// Names returns the key and its aliases.
func (p Parameter) Names() []string { return append([]string{p.Key}, p.Aliases...) }

// Table lists every parameter that Parse understands, by topic. iscsiroot-parameters(7) shows it,
// in an order of its own.
func Table() []Parameter {
	return slices.Concat(machineParameters(), netParameters(), targetParameters(), dracutParameters(), loginParameters(), rootParameters(), policyParameters())
}

func also(names ...string) []string { return names }

// machineParameters are of this machine and its network.
func machineParameters() []Parameter {
	return []Parameter{
		{"iscsi_i", also("rd.iscsiroot.initiator", "rd.iscsi.initiator", "iscsi_initiator", "ISCSI_INITIATOR", "iscsi_initiatorname", "InitiatorName"), "NAME", "initiator name of this machine", (*parser).initiator},
		{"iscsi_i_ip", also("rd.iscsiroot.ip"), "ADDRESS/MASK", "this machine's address; mask as dotted quad or prefix length", (*parser).address},
		{"iscsi_if", also("rd.iscsiroot.interface"), "NIC", "NIC to use: its name, its MAC, or the address of its PCI device such as 0000:00:03.0; without it a static address goes to the NIC on whose link the target answers, or its gateway, and all send DHCP requests: those that get an answer are up until root is found, and those that carry a session stay", (*parser).iface},
		{"iscsi_gw", also("rd.iscsiroot.gateway", "gateway"), "ADDRESS", "default gateway", (*parser).gateway},
		{"iscsi_dhcp_id", also("rd.iscsiroot.dhcp_id"), "ID", "DHCP's client identifier (option 61): mac is 01 and the MAC of the NIC, as iPXE and Windows send it; or its bytes in hex with colons, or TYPE,TEXT; without it one is made of the MAC (RFC 4361), and after two unanswered requests every second request has that of mac", (*parser).clientID},
		{"nameserver", also("rd.iscsiroot.nameserver"), "ADDRESS", "name server for the names in iscsi_a=; may be repeated", (*parser).nameserver},
		{"iscsi_keep_address", also("rd.iscsiroot.keep_address"), "[0]", "restore the boot address if the running system removes it and has no other, or none that reaches a target for 10 s; a leased one until its lease expires (default: yes); 0: never, nor is it moved to a bridge or a bond that the NIC becomes a port of", (*parser).keepAddress},
	}
}

// targetParameters may be given once for each target: a number behind the name says for which.
func targetParameters() []Parameter {
	return []Parameter{
		{"iscsi_t", also("rd.iscsiroot.target", "rd.iscsi.target.name", "iscsi_target_name", "ISCSI_TARGET_NAME", "iscsi_target", "TargetName"), "NAME", "target name; a second target has iscsi_t.2=, and so on up to 9, with iscsi_a.2=, iscsi_p.2= and so on: g, lun, u, w, U and W", (*parser).targetName},
		{"iscsi_a", also("rd.iscsiroot.address", "rd.iscsi.target.ip", "iscsi_target_ip", "iscsi_t_ip", "ISCSI_TARGET_IP", "iscsi_address", "TargetAddress"), "ADDRESS[,ADDRESS]", "address of the target: an IP address or a host name, with :PORT if needed, IPv6 in brackets then; several with commas; a further target without it has the address of the first", (*parser).portal},
		{"iscsi_p", also("rd.iscsiroot.port", "rd.iscsi.target.port", "iscsi_target_port", "ISCSI_TARGET_PORT", "iscsi_port", "TargetPort"), "PORT", "port of the target's portal (default 3260)", (*parser).port},
		{"iscsi_g", also("rd.iscsiroot.group", "rd.iscsi.target.group", "iscsi_target_group", "ISCSI_TARGET_GROUP", "iscsi_tgpt"), "TAG", "target portal group tag to expect", (*parser).group},
		{"iscsi_lun", also("rd.iscsiroot.lun"), "N", "LUN with the root: a decimal number, 0x hex, or groups of hex digits with hyphens; without it LUN 0, and if that does not have root, the target's others in ascending order up to the first that has it; the others are detached again", (*parser).lun},
		{"iscsi_u", also("rd.iscsiroot.user", "rd.iscsi.username", "iscsi_username", "ISCSI_USERNAME"), "NAME", "CHAP: this machine's user", (*parser).user},
		{"iscsi_w", also("rd.iscsiroot.secret", "rd.iscsi.password", "iscsi_password", "ISCSI_PASSWORD"), "SECRET", "CHAP: this machine's secret, as text, 0x hex or 0b base64; better in " + CredentialsPath, (*parser).secret},
		{"iscsi_U", also("rd.iscsiroot.target_user", "rd.iscsi.in.username", "iscsi_in_username", "ISCSI_IN_USERNAME", "iscsi_username_in"), "NAME", "mutual CHAP: the target's user", (*parser).targetUser},
		{"iscsi_W", also("rd.iscsiroot.target_secret", "rd.iscsi.in.password", "iscsi_in_password", "ISCSI_IN_PASSWORD", "iscsi_password_in"), "SECRET", "mutual CHAP: the target's secret; better in " + CredentialsPath, (*parser).targetSecret},
	}
}

// netParameters are what the kernel, dracut and PXELINUX have for the network.
func netParameters() []Parameter {
	return []Parameter{
		{"ip", also("nfsaddrs"), "CONFIG", "the kernel's and dracut's, in all their forms: dhcp, NIC:dhcp, CLIENT:PEER:GATEWAY:MASK:HOST:NIC:none, and what PXELINUX writes; methods are dhcp, dhcp6, auto6, either6, link6 and none, a NIC alone is dhcp on it, several with commas are tried in turn; may be repeated, for each NIC; the address in iscsi_i_ip= takes precedence", (*parser).ipLine},
		{"BOOTIF", also("hwaddr"), "[MAC]", "NIC to use, by its MAC, as PXELINUX and iPXE write it, unless another parameter names one; the NIC BOOTIF in ip= and in other parameters is this one", (*parser).bootif},
		{"rd.bootif", nil, "[0]", "0: ignore BOOTIF=", (*parser).useBootif},
		{"bootdev", nil, "NIC", "NIC whose ip= the boot uses: name or MAC", (*parser).bootdev},
		{"ksdevice", nil, "[NIC]", "as bootdev=", (*parser).ksdevice},
		{"netmask", nil, "MASK", "netmask for a bare address in ip=", (*parser).netmask},
		{"mtu", nil, "BYTES", "MTU of the boot NIC", (*parser).mtu},
		{"hostname", nil, "[NAME]", "this machine's name", (*parser).hostname},
		{"ifname", nil, "NAME:MAC", "give the NIC of this MAC this name", (*parser).ifname},
		{"net.ifnames", nil, "[0]", "0: NICs keep the kernel's names, unless a .link file has a Name=; without it they get those that udev gives them by the image's .link files and by their place, ens3 for example, unless a parameter has the kernel's", (*parser).keepNames},
		{"rd.route", nil, "NETWORK/LENGTH:GATEWAY[:NIC]", "static route, on the link if there is no gateway; IPv6 in brackets; may be repeated", (*parser).route},
		{"vlan", nil, "NAME:NIC", "make a VLAN on a NIC, bond or bridge; its number is the end of the name: vlan5, eth0.5; may be repeated", (*parser).vlan},
		{"bond", nil, "[NAME:NIC,NIC:OPTIONS:MTU]", "make a bond; the options are the kernel's, with commas: mode=active-backup,miimon=100; may be repeated", (*parser).bond},
		{"bridge", nil, "[NAME:NIC,NIC]", "make a bridge; may be repeated", (*parser).bridge},
		{"team", nil, "[NAME:NIC,NIC]", "refused: use bond=", (*parser).team},
		{"rd.neednet", nil, "[0]", "accepted for compatibility: the network is always brought up", (*parser).needNet},
		{"rd.peerdns", nil, "[0]", "0: ignore name servers from DHCP and router advertisements", (*parser).peerDNS},
		{"rd.net.timeout.dhcp", nil, "[SECONDS]", "seconds that each method of ip= is tried before the next, if it names several (default 15)", (*parser).netTimeout},
		{"rd.net.timeout.carrier", also("rd.net.timeout.iflink", "rd.net.timeout.ifup", "rd.net.timeout.route", "rd.net.timeout.ipv6dad", "rd.net.timeout.ipv6auto"), "[SECONDS]", "accepted for compatibility, ignored: rd.timeout= limits the wait for the network", (*parser).netTimeout},
	}
}

// dracutParameters are dracut's and Debian's for iSCSI, beside the names that are in
// targetParameters.
func dracutParameters() []Parameter {
	return []Parameter{
		{"netroot", nil, "[iscsi:HOST:PROTOCOL:PORT:LUN:TARGET]", "target in dracut's form, with USER:SECRET@ before the host if needed; the LUN is decimal; iscsi alone: the firmware's target, dhcp: DHCP's; may be repeated", (*parser).netroot},
		{"iscsiroot", nil, "HOST:PROTOCOL:PORT:LUN:TARGET", "old name of netroot=", (*parser).iscsiroot},
		{"rd.iscsi.firmware", also("iscsi_firmware", "iscsi_auto", "ISCSI_AUTO"), "[0]", "log in to the targets of the firmware's iBFT; 0: do not, even if no other source names one", (*parser).firmware},
		{"iscsi_noibft", nil, "[0]", "genkernel's: as rd.iscsi.firmware=0", (*parser).noFirmware},
		{"rd.iscsi.ibft", nil, "[0]", "addresses of the firmware's iBFT", (*parser).firmwareNet},
		{"rd.iscsi.mp", nil, "[0]", "all NICs of the iBFT, not only the boot NICs", (*parser).firmwareAll},
		{"rd.iscsi.param", also("iscsi_param"), "NAME=VALUE", "open-iscsi's setting; known are the digests, node.conn[0].iscsi.HeaderDigest and DataDigest, CHAP's hashes, node.session.auth.chap_algs, and the timers, node.session.timeo.replacement_timeout and node.conn[0].timeo.noop_out_interval and noop_out_timeout", (*parser).setting},
		{"rd.iscsi.login_retry_max", nil, "[N]", "accepted for compatibility, ignored: rd.timeout= limits how long a login is retried", (*parser).retries},
		{"rd.iscsi.waitnet", nil, "[0]", "accepted for compatibility, ignored", (*parser).accept},
		{"rd.iscsi.testroute", nil, "[0]", "accepted for compatibility, ignored", (*parser).accept},
		{"doscsi", also("iSCSI_ignoreNodes", "nodetect", "dokeymap", "quiet_genkernel", "crypt_silent", "nounionfs"), "[0]", "genkernel's and SUSE mkinitrd's; accepted for compatibility, ignored", (*parser).accept},
		{"rd.iscsi.transport", nil, "tcp", "only the kernel's TCP is supported", (*parser).transport},
	}
}

// loginParameters hold for the logins to all targets.
func loginParameters() []Parameter {
	return []Parameter{
		{"iscsi_chap", also("rd.iscsiroot.chap"), "HASH[,HASH]", "CHAP algorithms to offer: md5, sha1, sha256, sha3-256 (default: all)", (*parser).algorithms},
		{"iscsi_chap_strict", also("rd.iscsiroot.chap_strict"), "[0]", "refuse CHAP secrets shorter than 12 bytes (96 bits, RFC 7143 9.2.1); without it they are warned of", (*parser).strictCHAP},
		{"iscsi_header_digest", also("rd.iscsiroot.header_digest"), "none|accept|prefer|require", "CRC32C over the headers of PDUs: accept (default) offers None, then CRC32C, for a target that requires it", (*parser).headerDigest},
		{"iscsi_data_digest", also("rd.iscsiroot.data_digest"), "none|accept|prefer|require", "CRC32C over the data of PDUs: accept (default) offers None, then CRC32C, for a target that requires it", (*parser).dataDigest},
		{"iscsi_recovery_tmo", also("rd.iscsiroot.recovery_tmo"), "SECONDS", "how long the kernel holds I/O back while a session is down before it fails (default 86400, a day); 0: it fails at once, -1: it waits for ever", (*parser).recoveryTimeout},
		{"iscsi_nop_interval", also("rd.iscsiroot.nop_interval"), "SECONDS", "how long without traffic until the kernel pings the target (default 15); 0: never", (*parser).pingInterval},
		{"iscsi_nop_timeout", also("rd.iscsiroot.nop_timeout"), "SECONDS", "how long without an answer to a ping until the connection is dropped and made again (default 30); 0: no pings", (*parser).pingTimeout},
	}
}

// rootParameters say what root is and how it is mounted.
func rootParameters() []Parameter {
	return []Parameter{
		{"root", also("real_root", "rootdev"), "DEVICE", "root device, or the target as in netroot=, or dhcp; on the disks of the iSCSI sessions: /dev/sdXN, where X counts these disks, UUID=, LABEL=, PARTUUID=[/PARTNROFF=], PARTLABEL=, MAJ:MIN, /dev/disk/by-*/...; default: sda2, then the first partition or whole LUN with a file system and an init", (*parser).root},
		{"rootfallback", nil, "DEVICE", "root device to use if root= was not found in time; may be repeated", (*parser).fallback},
		{"rd.root.any", nil, "[0]", "search local disks for root too", (*parser).anyDisk},
		{"rootwait", nil, "[SECONDS]", "how long to wait for the root device (default 5 s); without a number for ever", (*parser).wait},
		{"rootdelay", nil, "SECONDS", "how long to wait before looking for root", (*parser).delay},
		{"rootfstype", nil, "TYPE[,TYPE]", "file systems to try: ext4, xfs, btrfs, f2fs, erofs, squashfs, ...; default: by superblock", (*parser).fstype},
		{"rootflags", also("real_rootflags"), "OPTIONS", "mount options for root", (*parser).flags},
		{"ro", nil, "", "mount root read-only (default)", (*parser).ro},
		{"rw", nil, "", "mount root read-write", (*parser).rw},
		{"init", also("real_init"), "PATH", "program to run in the root (default /sbin/init, /etc/init, /bin/init)", (*parser).init},
	}
}

// policyParameters say what to do when something goes wrong.
func policyParameters() []Parameter {
	return []Parameter{
		{"rd.timeout", nil, "SECONDS", "how long to retry temporary failures (default 0: for ever)", (*parser).timeout},
		{"rd.emergency", also("gk.emergency"), "reboot|poweroff|halt", "what to do 60 s after a permanent failure (default reboot)", (*parser).emergency},
		{"iscsi_shutdown_timeout", also("rd.iscsiroot.shutdown_timeout"), "SECONDS", "how long a shutdown of the real system waits for a root disk that does not answer, before it stops the machine (default 0: for ever)", (*parser).shutdownTimeout},
		{"rd.break", nil, "[STEP]", "open a shell before the step; without a step, before switch-root", (*parser).breakpoint},
		{"rd.shell", nil, "[PATH|0]", "open a shell when a step fails permanently: the built-in one, or that of the image at PATH", (*parser).shell},
		{"rd.shell.password", nil, "HASH", "password that the shell asks for first, as mkpasswd -m sha-512 or openssl passwd -6 writes it; only in the image's policy, /etc/iscsiroot/policy", (*parser).password},
		{"modprobe.blacklist", also("blacklist"), "NAME[,NAME]", "load these modules for no device; may be repeated, like the next four", (*parser).modules},
		{"module_blacklist", nil, "NAME[,NAME]", "the kernel's: never load these modules", (*parser).modules},
		{"rd.driver.pre", nil, "NAME[,NAME]", "load these modules before all others", (*parser).modules},
		{"rd.driver.post", nil, "NAME[,NAME]", "load these modules after all others", (*parser).modules},
		{"rd.driver.blacklist", nil, "NAME[,NAME]", "as modprobe.blacklist=", (*parser).modules},
		{"rd.watchdog", nil, "[0]", "0: load no driver for a hardware watchdog; with one, a watchdog that firmware left running gets keepalives during the boot", (*parser).watchdog},
		{"rd.debug", nil, "", "print more: every step, the plan and the source of each value", (*parser).debug},
		{"rd.iscsiroot.ignore", nil, "KIND[,KIND]", "ignore parameters that ask for something unsupported: no warning, and the boot does not stop where root is writable without the requested overlay; kinds are " + kindNames(), (*parser).ignored},
		{"panic", nil, "SECONDS", "the kernel's; set to 30 during the boot if not given, so that a crash of init reboots", (*parser).panics},
	}
}
