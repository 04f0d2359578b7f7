package images

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

const (
	inittab = `::sysinit:/etc/rc
::respawn:/etc/console
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/mount -o remount,ro /
::shutdown:/etc/leave
`
	// leave logs the disk's session out, last of all: what init does after it needs no disk.
	leave = `#!/bin/sh
[ ! -x /run/initramfs/shutdown ] || exec /run/initramfs/shutdown leave
`
	// rc mounts only what the initramfs has not handed over.
	rc = `#!/bin/sh
is_mounted() { grep -q " $1 " /proc/mounts 2>/dev/null; }
is_mounted /proc || mount -t proc proc /proc
is_mounted /sys || mount -t sysfs sysfs /sys
is_mounted /dev || mount -t devtmpfs devtmpfs /dev
is_mounted /run || mount -t tmpfs tmpfs /run
hostname iscsiroot
`
	// console gives the shell a real terminal instead of /dev/console, which can control no
	// process group.
	console = `#!/bin/sh
setsid cttyhack /bin/sh -l
exec poweroff
`
	profile = `export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-linux}" PS1='\h:\w# '
cd
cat /etc/motd
rootinfo
echo
`
	// rootinfo follows the root's device number to its place in sysfs, which names the iSCSI
	// session it belongs to.
	rootinfo = `#!/bin/sh
cd /sys
line=$(grep ' / / ' /proc/self/mountinfo | tail -n 1)
echo "mount: $line"
echo "device: $(readlink -f "dev/block/$(echo "$line" | cut -d ' ' -f 3)")"
for s in class/iscsi_session/session*; do
	[ -e "$s" ] && echo "session: ${s##*/} $(cat "$s/targetname") $(cat "$s/state")"
done
for c in class/iscsi_connection/connection*; do
	[ -e "$c" ] && echo "portal: $(cat "$c/persistent_address"):$(cat "$c/persistent_port")"
done
`
	motd = `
This shell is busybox, and its root file system comes from an iSCSI target.
Type poweroff, or exit, to end the machine.

`
)

// BusyboxRoot is a small root file system around a static busybox: a shell with job control on the
// console, a greeting that shows where the root comes from (the command rootinfo), and an end by
// "poweroff" or "exit". It needs no network of its own.
func BusyboxRoot() (Tree, error) {
	binary, err := deps.Find("busybox", "busybox/bin/busybox")
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(binary, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the applets of busybox: %w", err)
	}
	t := Tree{
		"bin/busybox": Copy(binary),
		"sbin/init":   Symlink("../bin/busybox"),
		"etc/inittab": Text(inittab), "etc/rc": Script(rc), "etc/console": Script(console), "etc/leave": Script(leave),
		"etc/profile": Text(profile), "etc/motd": Text(motd), "bin/rootinfo": Script(rootinfo),
		"etc/passwd": Text("root::0:0:root:/root:/bin/sh\n"), "etc/group": Text("root:x:0:\n"),
		"dev/console": CharDevice(5, 1), "dev/null": CharDevice(1, 3),
	}
	for _, dir := range []string{"proc", "sys", "run", "tmp", "root", "mnt", "var", "lib/modules"} {
		t[dir] = Dir()
	}
	for applet := range strings.FieldsSeq(string(list)) {
		name := "bin/" + applet
		if _, ok := t[name]; !ok && applet != "init" {
			t[name] = Symlink("busybox")
		}
	}
	for _, applet := range []string{"poweroff", "reboot", "halt", "modprobe"} {
		t["sbin/"+applet] = Symlink("../bin/busybox")
	}
	return t, nil
}
