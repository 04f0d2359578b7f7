// Package pkg is a map of the packages below it, for a reader who is new here. It holds no code.
//
// iscsiroot boots a machine that has no disk: its root file system is a LUN of an iSCSI target. One
// program, cmd/init, is process 1 of the initramfs; a second one, cmd/iscsiroot, builds the
// initramfs and what a netboot server needs around it.
//
// # Rings
//
// The packages stand in three rings, and imports go inward only. The tests in integration/repo
// enforce it: rings_test.go for the rings, order_test.go for the order in ring 2, testonly_test.go
// for what only tests import.
//
// Ring 0 holds values. It makes no system call and knows no clock, so it builds for every operating
// system and is tested and fuzzed without a kernel:
//
//	pkg/cmdline            text of /proc/cmdline -> parameters, by the kernel's quoting
//	pkg/ibft               the firmware's iSCSI boot table
//	pkg/bootspec           parameters, firmware and image -> what to do (Plan, Spec)
//	pkg/iscsi              RFC 7143: PDUs, keys, negotiation, CHAP, login, discovery
//	pkg/kmod               index of kernel modules -> which to load, in what order
//	pkg/lvm                metadata of LVM2 -> the dm devices that an LV stands on
//	pkg/md                 superblocks of md RAID -> which members make an array
//	pkg/multipath          the WWIDs of disks -> which are paths to one LUN
//	pkg/network/dhcp       a lease as a value, and its text
//	pkg/network/linkfile   systemd's .link files, by which NICs get their names
//	pkg/runstate           all that is written below /run/iscsiroot: values, text, paths
//	pkg/mounts             the kernel's tables of mounts
//	pkg/fstypes            the file systems: root or not, how to look, which modules
//	pkg/dm/table           tables of device-mapper, as values and as the kernel's text
//	pkg/initramfs/archive  cpio in the kernel's newc format
//	pkg/initramfs/efi      sections of an EFI program
//	pkg/shell/crypt        hashes of passwords
//	pkg/manual             the manual pages, as plain text and for man(1)
//	pkg/contain            panics and work that is given up, as errors
//	pkg/regular            files of which nothing is known
//	pkg/glob, pkg/procstat, pkg/words   small helpers for text
//
// Ring 1 holds one kernel facility in each package. They do not import each other: the log, events
// and times are passed in.
//
//	pkg/clock              the time since boot, and sleep
//	pkg/kmsg               the log of the kernel
//	pkg/modload            loading modules, answering the kernel's requests for some
//	pkg/uevent             events about devices
//	pkg/network            links, addresses and routes; below it DHCPv4, DHCPv6 and
//	                       a watch on rtnetlink
//	pkg/iscsi/kernel       the kernel's iSCSI initiator, by netlink and sysfs
//	pkg/iscsi/portal       why a portal cannot be reached, in words
//	pkg/blockdev           block devices, what they stand on, and what is on them
//	pkg/dm                 device-mapper, by ioctl
//	pkg/md/array           arrays of md, by ioctl and sysfs
//	pkg/switchroot         is this a root file system, and the switch to it
//	pkg/udevdb             records and rules for udev, of dm devices made before it ran
//	pkg/handover           files in /run by which network managers leave root's network up
//
// Ring 2 composes them. Of this ring, a package imports only what stands above it:
//
//	pkg/boot/sequence      steps, and what runs and retries them
//	pkg/redundancy         what works without the disks of some sessions
//	pkg/session            a login, and the hand-over of its connection to the kernel
//	pkg/rootfs/arrays      md arrays: finds and starts them
//	pkg/rootfs/calls       system calls that wait for a target
//	pkg/rootfs/maps        multipath maps: makes them, and changes their paths
//	pkg/rootfs/reads       reads of disks, which end when the disk's session goes down
//	pkg/rootfs/filesystem  which file system a device holds, and its driver
//	pkg/rootfs/scan        scans the sessions for LUNs, and detaches them
//	pkg/rootfs/volumes     LVM's logical volumes: finds, reads and activates them
//	pkg/rootfs/stack       the devices that stand on disks: runs the layers
//	pkg/rootfs             the search for root, root itself, its mount
//	pkg/shutdown           /run/initramfs/shutdown: unmount, log out, power off
//	pkg/recovery           sessions are logged in to again; below it the resident agent
//	pkg/status             how the sessions of a running system are, in words
//	pkg/shell              the debug shell; below it its commands
//	pkg/boot/debug         what process 1 has to do with the shell
//	pkg/boot/drivers       the stage that loads modules
//	pkg/boot/netup         the stage that brings the network up
//	pkg/boot/login         the stage that has the sessions until the agent has them
//	pkg/boot               the list of steps, and the wiring of all of the above
//	pkg/outfile            the host's side: files and directories, whole or not at all
//	pkg/initramfs/unpack   the host's side: the files of an image in a directory
//	pkg/initramfs/release  the host's side: the releases of kernels
//	pkg/initramfs/storage  the host's side: the modules of what root can stand on
//	pkg/initramfs/system   the host's side: what an installed system asks of an image
//	pkg/initramfs          the host's side: the image
//	pkg/netboot            the host's side: PXELINUX, iPXE, GRUB, dnsmasq, targets
//	pkg/discovery          the host's side: which targets a portal has
//	pkg/lab                for tests: machines in QEMU, disks and targets, in a namespace
//	pkg/internal           for tests: what only packages below pkg import
//	pkg/trial              iscsiroot try: boots a machine of a hosts file in pkg/lab
//
// cmd, integration and scripts stand outside of the rings: programs, tests with real kernels and
// targets, and what a person runs.
//
// # The data, on its way
//
// Each arrow is one exported value, which can be printed, compared and tested:
//
//	/proc/cmdline --cmdline.Line--+                     +-> kmod, modload: modules
//	the firmware --ibft.Table-----+-> bootspec.Plan ----+
//	the image's defaults ---------+        |            +-> network: links, leases
//	                                       |                         |
//	               Plan.Resolve(NetFacts)  <---bootspec.NetFacts-----+
//	                                       |
//	                                bootspec.Spec
//	                                       |
//	            session: login --session.Record--> kernel.Session, its LUN
//	                                       |
//	           blockdev.Device -> layers in rootfs -> root -> mount -> switchroot
//
// Parse and Resolve are pure: "iscsiroot explain" makes a plan on any host. What is not known
// before the network is up, as a target that DHCP names, comes in by NetFacts. The error of a step
// becomes a Failure of pkg/boot/sequence: the step, the cause, a hint, and whether a later try may
// succeed. The command line decides what then: retry, shell, reboot, power off or halt.
//
// What outlives the boot stands below /run/iscsiroot, in the formats of pkg/runstate: the sessions,
// leases and status are written by the boot and the agent, and read by pkg/shutdown and pkg/status.
//
// # The life of a session
//
//  1. The Spec names a target. The step "session" makes a session in the kernel, before
//     any login and in the Spec's order: its ISID comes from the kernel's session id, and
//     is the same at every boot and at every later login. A target with several paths
//     has a session for each portal and NIC (Plan.Sessions).
//  2. The step "login" connects to a portal and logs in. The PDUs go through the kernel
//     (pkg/iscsi/kernel), because only the kernel knows the session's CmdSN. The last
//     request starts full feature phase (START). The result is a session.Record.
//  3. From START on, the session is guarded: recovery.Guard, in process 1, logs in again
//     when the connection is lost. Steps wait meanwhile, and do not fail.
//  4. The step "disk" attaches one LUN and waits for its uevent. The disk is a
//     blockdev.Device from here on. Disks that are paths to one LUN get a multipath map,
//     which stands in their place (pkg/rootfs/paths.go). Its layers lead to root.
//  5. The step "agent" starts the resident process, which runs from memory. The step
//     "hand-over" gives it all that the guard knows, and writes the files in /run.
//  6. switch-root: process 1 becomes the real init. The agent (pkg/recovery/agent) keeps
//     the sessions, the addresses and the leases (pkg/recovery/uplink), and the disks'
//     time-outs (pkg/recovery/disks). It logs in by session.Reopen where it has to. A path of a
//     multipath map is failed and reinstated with its session (pkg/recovery/paths), and a
//     session that all works without is ended and made anew (pkg/recovery/mirrors).
//  7. At the end the real init runs pkg/shutdown, which unmounts root, writes the caches
//     back, logs out, and powers off. pkg/recovery/agent watches for a shutdown that
//     cannot reach it, because root is dead.
//
// # Ten usual changes
//
// A message that a test reads off a console is also in integration: look for its text there. The
// manual's tables are made from the code, pkg/manual/pages has where: run
//
//	go test ./integration/repo -run Manual -update
//
// Another parameter is listed in iscsiroot-parameters.7.md of pkg/manual/pages as well. Another
// name for one: a word in its row in pkg/bootspec/table.go. A new value: the row; its setter in the
// file of its topic, such as pkg/bootspec/netparams.go, pkg/bootspec/root.go,
// pkg/bootspec/timers.go, pkg/bootspec/multipathwords.go or pkg/bootspec/values.go; a field in
// pkg/bootspec/spec.go, pkg/bootspec/net.go or pkg/bootspec/target.go; and a line in
// pkg/bootspec/explain.go. A word that was answered as not supported leaves
// pkg/bootspec/unsupported.go; a secret is named in pkg/bootspec/secrets.go.
//
// A hash for CHAP: a constant and a row in pkg/iscsi/algorithm.go. The texts that name the hashes
// are in pkg/bootspec/table.go, pkg/bootspec/chap.go, the README and iscsiroot-supported.7.md. The
// scripted target computes it in pkg/iscsi/iscsitest/targetauth.go.
//
// A step of the boot: a line in Machine.Steps, in pkg/boot/steps.go, and a method of the stage that
// it belongs to: pkg/boot/drivers, pkg/boot/netup, pkg/boot/login or pkg/rootfs. What a stage gets
// is in pkg/boot/machine.go, what becomes of its results in pkg/boot/results.go, and what a retry
// at the shell has to undo in pkg/boot/undo.go. What may help where a step fails is in
// pkg/boot/debug/advice.go; a failure that a person sees is a row in integration/failures, with a
// test in integration/cases_test.go and its name in iscsiroot-failures.7.md of pkg/manual/pages.
// How steps run is pkg/boot/sequence.
//
// A file system: its superblock in pkg/blockdev/linuxfs.go or pkg/blockdev/otherfs.go, with a line
// in the list of pkg/blockdev/probe.go; its row in pkg/fstypes/fstypes.go: may root be on it, the
// option that looks without a write, the modules that it needs. What else keeps a journal from
// being replayed is in pkg/switchroot/journal.go.
//
// A status of a login: a constant and a row in pkg/iscsi/status.go with its text, and whether it
// passes by itself or an administrator has to grant access; what a person can do is in
// pkg/session/hints.go, under the same name, and for iscsiroot discover in pkg/discovery/errors.go.
//
// A command of the shell: a file in pkg/shell/verb and a line in All, in pkg/shell/verb/verb.go.
// One that needs process 1 is in pkg/boot/debug/verbs.go, and its answer in
// pkg/boot/debug/conversation.go; what it needs of process 1 is a field of Machine in
// pkg/boot/debug/shell.go.
//
// A DHCP option: pkg/network/dhcp4/message.go and pkg/network/dhcp4/lease.go read it, or
// pkg/network/dhcp6/message.go; the value is in pkg/network/dhcp/lease.go and its text in
// pkg/runstate/lease.go; what uses it gets it by pkg/bootspec/facts.go.
//
// A network manager: a file in pkg/handover with what it reads, called by Files in
// pkg/handover/facts.go; what is read of the root's own configuration is in pkg/handover/survey.go.
// pkg/status/report.go lists the files for a person.
//
// An output of iscsiroot pxe: a file in pkg/netboot, such as pkg/netboot/pxelinux.go, called by
// Files in pkg/netboot/files.go. A boot loader is a row in pkg/netboot/loader.go: its name, who
// gets which file, what has to be fetched, and how its screen looks. An output that can hold a
// secret is in the list of pkg/netboot/secrets.go. cmd/iscsiroot/pxe.go lists the outputs in its
// help, and iscsiroot-netboot.7.md of pkg/manual/pages has them with the fields of the hosts file.
//
// Encryption, as LVM, md and multipath are done: the format on disk is a package of values in ring
// 0 (pkg/lvm, pkg/md, pkg/multipath), the ioctls are one of ring 1 (pkg/dm, pkg/md/array), and a
// layer of ring 2 (pkg/rootfs/volumes, pkg/rootfs/arrays) finds what can be activated, activates it
// and takes it down (blockdev.Layer); pkg/rootfs/stack/stack.go runs it, with a line in
// pkg/rootfs/stack.go. Multipath maps are no layer: pkg/rootfs/paths.go makes them of the disks
// before any is read, and only their partitions are one (pkg/rootfs/maps/partitions.go). The names,
// such as /dev/VG/LV, are read in pkg/bootspec/volume.go, pkg/bootspec/array.go or
// pkg/bootspec/mapdevice.go, and found in pkg/blockdev/find.go. A blockdev.Kind names the devices;
// blockdev.Device.Parents leads to the disks below. The modules are in pkg/initramfs/storage; what
// the real system's udev has to know of the devices is in pkg/boot/volumes.go, pkg/boot/arrays.go
// and pkg/udevdb. pkg/shutdown/linuxmaps.go takes the devices down, and pkg/redundancy tells what
// works without a disk. What refuses such roots until then is in pkg/blockdev/probe.go,
// pkg/bootspec/unsupported.go and pkg/rootfs/fstab.go.
package pkg
