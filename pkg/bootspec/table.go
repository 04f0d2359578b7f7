package bootspec

import "github.com/iscsiroot/iscsiroot/pkg/cmdline"

// Parameter is one row of the table of what we understand; the README shows it.
type Parameter struct {
	Key   string // as users write it
	Alias string // dotted name that costs no place in init's environment; may be empty
	Value string // form of the value; empty for a flag
	Help  string

	set func(*parser, cmdline.Param) error
}

// Table lists every parameter that Parse understands, in the order of the
// README.
func Table() []Parameter {
	return []Parameter{
		{"iscsi_i", "rd.iscsiroot.initiator", "NAME", "initiator name of this machine", (*parser).initiator},
		{"iscsi_i_ip", "rd.iscsiroot.ip", "ADDRESS/MASK", "this machine's address; mask as dotted quad or prefix length", (*parser).address},
		{"iscsi_if", "rd.iscsiroot.interface", "NAME", "NIC to use; without it the first one with a link", (*parser).iface},
		{"iscsi_gw", "rd.iscsiroot.gateway", "ADDRESS", "default gateway", (*parser).gateway},
		{"iscsi_t", "rd.iscsiroot.target", "NAME", "target name", (*parser).target},
		{"iscsi_a", "rd.iscsiroot.address", "ADDRESS", "address of the target's portal", (*parser).portal},
		{"iscsi_p", "rd.iscsiroot.port", "PORT", "port of the target's portal; 3260 without it", (*parser).port},
		{"iscsi_g", "rd.iscsiroot.group", "TAG", "target portal group tag to expect", (*parser).group},
		{"iscsi_lun", "rd.iscsiroot.lun", "N", "LUN with the root, 0 to 16383, or 0x hex; without it LUN 0, and if that is no disk, the one that holds root", (*parser).lun},
		{"root", "", "DEVICE", "root device, on the disks of our own sessions: /dev/sdXN, where X counts these disks, UUID=, LABEL=, PARTUUID=[/PARTNROFF=], PARTLABEL=, MAJ:MIN, /dev/disk/by-*/...; without it sda2, then the first partition or whole LUN with a file system and an init", (*parser).root},
		{"rootfallback", "", "DEVICE", "root device to take if root= was not found in time; may be repeated", (*parser).fallback},
		{"rd.root.any", "", "[0]", "look for root on disks that are not of our sessions too", (*parser).anyDisk},
		{"rootwait", "", "[SECONDS]", "wait that long for the root device, without a number for ever; 5 s without it", (*parser).wait},
		{"rootdelay", "", "SECONDS", "wait before root is looked for", (*parser).delay},
		{"rootfstype", "", "TYPE[,TYPE]", "file systems to try: ext4, xfs, btrfs, f2fs, erofs, squashfs, ...; without it by superblock", (*parser).fstype},
		{"rootflags", "", "OPTIONS", "mount options for root", (*parser).flags},
		{"ro", "", "", "mount root read-only (this is what is done without ro or rw)", (*parser).ro},
		{"rw", "", "", "mount root read-write", (*parser).rw},
		{"init", "", "PATH", "program to run in the root; without it /sbin/init, /etc/init, /bin/init", (*parser).init},
		{"rd.timeout", "", "SECONDS", "give up retrying what can heal; 0 or without it: retry for ever", (*parser).timeout},
		{"rd.emergency", "", "reboot|poweroff|halt", "what to do 60 s after a failure that cannot heal; reboot without it", (*parser).emergency},
		{"rd.break", "", "[STEP]", "open a shell before the step; without a step, before switch-root", (*parser).breakpoint},
		{"rd.shell", "", "[PATH|0]", "open a shell when a step fails for good", (*parser).shell},
		{"modprobe.blacklist", "", "NAME[,NAME]", "load these modules for no device; may be repeated, like the next four", (*parser).modules},
		{"module_blacklist", "", "NAME[,NAME]", "the kernel's: never load these modules", (*parser).modules},
		{"rd.driver.pre", "", "NAME[,NAME]", "load these modules before all others", (*parser).modules},
		{"rd.driver.post", "", "NAME[,NAME]", "load these modules after all others", (*parser).modules},
		{"rd.driver.blacklist", "", "NAME[,NAME]", "as modprobe.blacklist=", (*parser).modules},
		{"rd.watchdog", "", "[0]", "0: load no driver for a hardware watchdog; with one a watchdog that firmware left running is fed while we wait", (*parser).watchdog},
		{"rd.debug", "", "", "say more: every step, the plan and where each value came from", (*parser).debug},
		{"panic", "", "SECONDS", "the kernel's; without it 30 is set while we run, so that a crash of ours reboots", (*parser).panics},
	}
}

// Ours tells whether key is a parameter that Parse understands or one that
// looks like ours. The real init gets neither argv words nor environment
// variables of such names.
func Ours(key string) bool {
	for _, p := range Table() {
		if key == p.Key || p.Alias != "" && key == p.Alias {
			return true
		}
	}
	return looksOurs(key)
}
