package integration

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// A target closes the connection without a response for a wrong target name; the hint names that
// cause, once. The first failure is printed immediately, also with quiet.
func TestWrongTargetNameAtGotgt(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: images.Tree{}})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 quiet rd.timeout=20 "+strings.Replace(seedLine, "storage.remote1", "storage.remote2", 1))
	r.expect(m, "target closed the connection (kernel error 1020) (initiator "+initiator+", attempt 1): trying again",
		"iscsiroot: step login failed after", "gave up after 20 s (rd.timeout=): login to iqn.2007-01.com.example:storage.remote2 at 10.77.0.1:3260: receive response 2 (operational stage): target closed the connection (kernel error 1020)",
		"iscsiroot: hint: some targets close the connection without a response if the target name or this initiator is unknown: check iscsi_t=",
		"iscsiroot: rebooting in 60 s")
}

// A target that responds with status 0203.
func TestWrongTargetNameAtTgtd(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: images.Tree{}})
	r.tgtd()
	m := r.boot(virtio, "", "console=ttyS0 "+strings.Replace(seedLine, "storage.remote1", "storage.remote2", 1))
	r.expect(m, "iscsiroot: login: login to iqn.2007-01.com.example:storage.remote2 at 10.77.0.1:3260 refused (0203): ", "correct iscsi_t=")
}

// quiet suppresses progress and no failure.
func TestNoSuchRoot(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: images.Tree{}})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 quiet root=/dev/sda5 "+seedLine)
	r.expect(m, "iscsiroot: step root failed after", "root /dev/sda5: no such device on the disks of the iSCSI sessions",
		"iscsiroot: hint: correct root=: there is sda (13 MiB), sda1 (4 MiB), sda2 (8 MiB)")
	if strings.Contains(m.Output(), "iscsiroot: network:") {
		t.Error("quiet shows progress")
	}
}

func TestRootWithoutInit(t *testing.T) {
	r := newRig(t)
	tree := root("")
	delete(tree, "sbin/init")
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: tree})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 root=/dev/sda2 rd.emergency=halt "+seedLine)
	r.expect(m, "iscsiroot: step check failed after", "init /sbin/init on /dev/sda2: file does not exist",
		"iscsiroot: hint: check that this is the root file system; correct root=, or name the program with init=PATH", "iscsiroot: halting in 60 s")
}

// The same without root=: each device that was probed is named.
func TestNoInitAnywhere(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: images.Tree{}})
	before, err := r.disk.SHA256()
	if err != nil {
		t.Fatal(err)
	}
	target := r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: step root failed after", "no file system with an init", "/dev/sda2", "/dev/sda1", "/dev/sda", "iscsiroot: hint: name it with root=/dev/sdXN")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	if after, err := r.disk.SHA256(); err != nil || after != before {
		t.Errorf("the search for root changed the disk: %v", err)
	}
}

// With a console= that does not exist the kernel has none; errors are printed on the serial port,
// and the machine boots.
func TestNoConsole(t *testing.T) {
	r := newRig(t)
	r.makeDisk(dataRoot())
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyUSB7 rw "+seedLine)
	r.expect(m, "iscsiroot: root /dev/sda2 (ext4, read-write): starting /sbin/init")
	if exit, err := m.Wait(r.ctx); err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	if _, err := r.disk.ReadFile(2, "/data/SHA256SUMS"); err != nil {
		t.Error(err)
	}
}

// Unknown words on the command line do not stop the boot.
func TestUnknownParameters(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(virtio, "", `console=ttyS0 = == "=" "\" %s%n $(reboot) ;;; a=b=c rd.nonsense=1 iscsi_tt=x `+"\x7f\x01\xff "+seedLine+` iscsi_lun="0"`)
	r.expect(m, "iscsiroot: parameter iscsi_tt is not understood and is ignored: did you mean iscsi_t?", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// All invalid parameters are reported together, and after a minute the machine reboots.
func TestBadParametersAndReboot(t *testing.T) {
	r := newRig(t)
	m := r.bootReboot(virtio, "console=ttyS0 iscsi_i_ip=10.77.0.2/255.0.255.0 iscsi_a=10.77.0 iscsi_t= root=/dev/hda1")
	r.expect(m, "iscsiroot: step cmdline failed after",
		"parameter iscsi_i_ip=10.77.0.2/255.0.255.0 (byte 14 of the command line): the mask is neither a netmask nor a prefix length: write ADDRESS/MASK",
		"parameter iscsi_a=10.77.0 (byte 47 of the command line): this is not the address of a portal: write an IP address",
		"parameter iscsi_t= (byte 63 of the command line): the name is empty: write a name such as",
		"parameter root=/dev/hda1 (byte 72 of the command line): ",
		"iscsiroot: rebooting in 60 s (rd.emergency= changes the action, rd.shell opens a shell instead)")
	if _, err := m.WaitEvent(r.ctx, "RESET"); err != nil {
		t.Fatal(err)
	}
}

func TestMissingParameters(t *testing.T) {
	r := newRig(t)
	m := r.boot(virtio, "", "console=ttyS0 rd.shell iscsi_i="+initiator)
	r.expect(m, "this machine's address is not given: write iscsi_i_ip=ADDRESS/MASK on the kernel command line",
		"the target name is not given: write iscsi_t=NAME", "opening a shell (rd.shell): retry tries again", "iscsiroot> ")
	if err := m.Send("poweroff\n"); err != nil {
		t.Fatal(err)
	}
	if exit, err := m.Wait(r.ctx); err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
}

// A panic in a goroutine that is not contained ends PID 1: the stack is on the console, and the
// kernel will reboot although the command line has no panic=. It spins until then (kernel/panic.c);
// TestSoakPanicReboots waits for it.
func TestPanicInGoroutine(t *testing.T) { newRig(t).panics() }

func (r *rig) panics() *lab.Machine {
	r.t.Helper()
	img := virtio
	img.init = built.faulty()
	m := r.bootReboot(img, "console=ttyS0 rd.iscsiroot.fault=goroutine "+seedLine)
	r.expect(m, "panic: a bug in a goroutine", "addFault", "Kernel panic - not syncing: Attempted to kill init!", "Rebooting in 30 seconds")
	return m
}

// An agent that has been killed before the hand-over is started again, although root is mounted by
// then, and holds no file of root.
func TestAgentRestart(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("holds agent")
	r.startTgtd(targets.Config{})
	img := virtio
	img.init = built.faulty()
	r.bootToRoot(img, machineLine+targetLine+"iscsi_a=10.77.0.1 rd.iscsiroot.fault=agent", "iscsiroot: agent: hand over: ", "starting another one",
		" agents hold 0 files of root", "guest: status: session 1 target "+targetName+" state up owner iscsiroot")
}
