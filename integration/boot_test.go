package integration

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// The HOWTO's command line and nothing else boots ext3 on partition 2 read-only.
func TestSeedFromGotgt(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("log")})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: root is /dev/sda2 (ext3): it holds an init", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: panic: 0", " 0 notes of dropped lines")
	checkSession(r, m)
}

// The same with tgtd, whose LUN 0 is a controller: the LUNs are searched.
func TestSeedFromTgtd(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.tgtd(initiator)
	m := r.boot(virtio, "", "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: disk sda is lun 1", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: scsi device 0:0:0:1")
	checkSession(r, m)
}

// checkSession checks the attributes that iscsid reads to take the session over, and the timers of
// the session.
func checkSession(r *rig, m *lab.Machine) {
	r.t.Helper()
	for _, want := range []string{
		"targetname=" + targetName, "initiatorname=" + initiator, "tpgt=1", "ifacename=default", "state=LOGGED_IN",
		"recovery_tmo=86400", "ping_tmo=30", "recv_tmo=15", "abort_tmo=15", "lu_reset_tmo=30", "tgt_reset_tmo=30",
		"persistent_address=10.77.0.1", "persistent_port=3260", "header_digest=0",
	} {
		r.checkShown(m, "guest: session: "+want)
	}
}

// An Intel NIC, whose link takes two seconds, with a prefix length and parameters beyond those of
// the HOWTO.
func TestE1000(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(e1000, "e1000", "console=ttyS0 iscsi_i="+initiator+" iscsi_i_ip=10.77.0.2/24 iscsi_gw=10.77.0.1 iscsi_if=eth0 iscsi_lun=0 iscsi_g=1"+
		" rd.iscsiroot.target="+targetName+" iscsi_a=10.77.0.1 iscsi_p=3260 root=/dev/sda2 rootfstype=ext4 rootflags=noatime rw")
	r.expect(m, "guest: mount: /dev/sda2 / ext4 rw,noatime")
	r.waitOff(m)
}

// Of two NICs only the second has a link.
func TestLinkOnSecondNIC(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext2", MiB: 32, Tree: root("")})
	r.gotgt()
	dead, err := r.ns.AddTap("dead0")
	if err != nil {
		t.Fatal(err)
	}
	m := r.bootWith(virtio, "console=ttyS0 rd.break=modules "+seedLine, lab.NIC{Tap: dead}, lab.NIC{Tap: r.tap})
	r.unplug(m)
	r.expect(m, "iscsiroot: network: ens3 is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext2 ro,")
	r.waitOff(m)
}

// The real init gets none of iscsiroot's arguments and environment, and all of its own. (The kernel
// itself drops words before init=.)
func TestInitArgumentsAndEnvironment(t *testing.T) {
	r := newRig(t)
	tree := root("")
	tree["opt/start"] = images.Symlink("/sbin/init")
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: tree})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 init=/opt/start "+seedLine+` single color=blue words="two words" iscsi_mistake=1 -- late iscsi_x=1`)
	r.expect(m, "iscsiroot: parameter iscsi_mistake is not understood and is ignored")
	r.waitOff(m)
	got := regexp.MustCompile(`guest: (arg|env): [^\r\n]*`).FindAllString(m.Output(), -1)
	want := []string{
		"guest: arg: /opt/start", "guest: arg: single", "guest: arg: late", "guest: arg: iscsi_x=1",
		"guest: env: HOME=/", "guest: env: TERM=linux", "guest: env: color=blue", "guest: env: words=two words",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("init sees\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The boot waits for a target that starts 20 s after the machine, and logs one line immediately and
// one after ten seconds.
func TestTargetUpLater(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	m := r.boot(virtio, "", "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: login: login to "+targetName+" at 10.77.0.1:3260: connection refused (initiator "+initiator+", attempt 1): trying again: the host is up, but nothing listens on this port")
	time.Sleep(20 * time.Second)
	r.gotgt()
	r.expect(m, "iscsiroot: login: succeeded after", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	if n := strings.Count(m.Output(), "connection refused"); n != 2 {
		t.Errorf("%d lines about the refused connection, want 2", n)
	}
}

// PID 1 survives every signal but that of Ctrl-Alt-Del, a killed shell and orphaned processes.
func TestSignalsAndChildren(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	img := virtio
	img.file = built.guest() + ":/bin/sh"
	m := r.boot(img, "", "console=ttyS0 rd.shell=/bin/sh rd.break=login "+seedLine)
	r.expect(m,
		"iscsiroot: break before step login: exit continues",
		"guest: sent 63 signals to process 1 and go by SIGKILL",
		"iscsiroot: the shell was killed by signal 9 (killed)",
		"iscsiroot: continuing with step login",
		"guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// In an image without a shell the built-in shell opens, and exit continues the boot.
func TestBreakPrompt(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 rd.break "+seedLine)
	r.expect(m, "iscsiroot: break before step switch-root: exit continues", "iscsiroot> ")
	for _, c := range []struct{ send, want string }{
		{"cat /proc/mounts", "/dev/sda2 /sysroot ext4 ro"},
		{"ls /sysroot/sbin", "init"},
		{"nonsense", "no such command"},
		{"exit", "iscsiroot: continuing with step switch-root"},
	} {
		if err := m.Send(c.send + "\n"); err != nil {
			t.Fatal(err)
		}
		r.expect(m, c.want)
	}
	r.waitOff(m)
}
