// Package failures is the table of failures of a boot, as the console shows them. The tests of
// package integration produce each row, and those of integration/repo compare the manual with it.
// No program links it.
package failures

// Case is a failure of a boot, as the console shows it. … stands for the parts of a text that vary.
type Case struct {
	Name    string // for tests
	Screen  string // what happened, to what
	Hint    string // what to do, where Screen does not contain it
	Retried bool   // it is retried without end; otherwise the boot ends
}

// Cases lists the failures in the order of the boot. iscsiroot-failures(7) shows it, and each row
// has a test.
func Cases() []Case {
	return []Case{
		{"parameter", "parameter … (byte … of the command line): …: write …", "", false},
		{"missing-parameter", "… is not given: write … on the kernel command line", "", false},
		{"other-release", "modules: no modules for the running kernel …, only for …", "build the image again with iscsiroot build --kernel-version …, or boot the kernel …", false},
		{"no-driver", "network: no network interface: add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)", "the image has no driver for … (pci …)", false},
		{"wrong-interface", "network: no interface …, there is …: correct iscsi_if=, or add its driver to the image", "", false},
		{"no-link", "network: no link on …: check cable and switch port", "", true},
		{"no-neighbour", "network: … does not answer on …", "check that it is up and that a cable connects this machine to its network; iscsi_if=NIC, or the NIC in ip=, selects a NIC without this check", true},
		{"no-dhcp", "network: …: waiting for a DHCP server, request …", "check that this NIC is in the right network and that its DHCP server serves this machine; ip=NIC:dhcp names the NIC, iscsi_i_ip=ADDRESS/MASK needs no server", true},
		{"root-path", "DHCP option 17 from …: …", "", false},
		{"no-iscsi", "module iscsi_tcp: not built into the running kernel …, and the image holds …", "build the image again with iscsiroot build --kernel-version …, which always includes it", false},
		{"credentials-mode", "/etc/iscsiroot/credentials: has mode …: in the image it must belong to root and have mode 0600", "", false},
		{"incomplete-chap", "the CHAP secret of this machine is not given: write iscsi_w=SECRET on the kernel command line", "", false},
		{"no-name", "login to … at …: no such host name", "correct the name in iscsi_a= or write the address itself; names are looked up in the image's /etc/hosts and at nameserver=ADDRESS", true},
		{"connection-refused", "login to … at …: connection refused", "the host is up, but nothing listens on this port: check that the target is running, and iscsi_p=", true},
		{"no-host", "login to … at …: no host answers at this address", "check iscsi_a=, iscsi_gw=, the mask in iscsi_i_ip=, and that the target's host is up", true},
		{"no-route", "login to … at …: no route to this address", "check iscsi_a=, iscsi_gw=, the mask in iscsi_i_ip=, and that the target's host is up", true},
		{"target-closes", "login to … at …: … target closed the connection", "some targets close the connection without a response if the target name or this initiator is unknown: check iscsi_t=, iscsi_i= and the target's access list", true},
		{"wrong-target", "login to … at … refused (0203): this portal has no target of that name", "correct iscsi_t= or iscsi_a=; some targets answer the same when the name in iscsi_i= is not in their access list", true},
		{"no-response", "login to … at …: receive response … target does not answer for …", "the portal accepted the connection: check that it is an iSCSI target's (iscsi_a=, iscsi_p=), and that the target is not stopped or overloaded", true},
		{"wrong-secret", "login to … at … refused (0201): authentication failed: wrong user or secret, or the target requires authentication", "correct user and secret for this target in iscsi_u= and iscsi_w= or in the image's /etc/iscsiroot/credentials; without any, the target requires CHAP", false},
		{"not-in-list", "login to … at … refused (0202): this initiator name is not in the target's access list", "add the name in iscsi_i= to the target's access list", false},
		{"no-chap", "login to … at …: authentication: target does not use CHAP", "the target does not request authentication: set up CHAP there, or give this machine no user and secret", false},
		{"redirect-loop", "login to … at …: redirected to …, a redirect loop", "", true},
		{"target-busy", "login to … at … not served (0301): …", "the target is starting or under maintenance; some targets answer the same when they do not have the name in iscsi_t=", true},
		{"no-lun", "target … has no disk at lun …: …", "correct iscsi_lun=, or map the disk for this initiator at the target", false},
		{"no-disk", "target … has no disk: …", "map a disk for this initiator at the target", false},
		{"no-root", "root …: no such device on the disks of the iSCSI sessions", "correct root=: there is …", false},
		{"not-supported", "probe …: this is LUKS, which is not supported", "", false},
		{"no-filesystem", "probe …: no known file system", "", false},
		{"no-fs-driver", "file system …: module …: not built into the running kernel …, and the image holds …", "build the image with --fs …", false},
		{"no-init-anywhere", "no file system with an init on … at …: …", "name it with root=/dev/sdXN, and the program with init=PATH", false},
		{"overlay", "mount …: … asks for a writable layer over root, which is not supported, and its LUN can be written to", "write-protect the LUN at the target, remove the parameter, or add rd.iscsiroot.ignore=overlay if no other machine has this LUN", false},
		{"no-init-here", "init … on …: file does not exist", "check that this is the root file system; correct root=, or name the program with init=PATH", false},
		{"wrong-init", "init … on …: file does not exist", "correct init=", false},
		{"not-executable", "init … on …: not executable: run chmod 755 on it", "", false},
		{"no-interpreter", "init … on …: needs …: file does not exist", "", false},
		{"other-architecture", "init … on …: built for another kind of machine: ELF machine …, this one is …", "", false},
		{"no-mount-point", "root … has no directory … to mount on: …: create it", "or boot once with rw, which creates it", false},
		{"bad-options", "mount …", "check rootfstype= and rootflags=; the kernel's message above has the cause", false},
		{"bug", "internal error: panic: …", "", false},
	}
}
