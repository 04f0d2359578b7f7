package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

const prompt = "iscsiroot> "

// typed is a line for the shell and what it answers, in this order.
type typed struct {
	line  string
	wants []string
}

// types types each line and waits for its answers and the next prompt.
func (r *rig) types(m *lab.Machine, lines ...typed) {
	r.t.Helper()
	for _, l := range lines {
		r.sends(m, l.line+"\n", append(l.wants, prompt)...)
	}
}

// sends types text as it is and waits for answers.
func (r *rig) sends(m *lab.Machine, text string, wants ...string) {
	r.t.Helper()
	if err := m.Send(text); err != nil {
		r.t.Fatal(err)
	}
	r.expect(m, wants...)
}

// The shell opens at a break in an image without any other binary, and knows
// what a person there wants to know; login comes back to it, a shell that is
// killed is one that was left, and the boot goes on.
func TestShellAtBreak(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 rd.break=root,mount,switch-root "+seedLine)
	r.expect(m, "iscsiroot: break before step root: exit continues", "break before step root\n", prompt)
	// A login by hand comes back at the next step, and then at the break.
	r.sends(m, "login\n", "trying again", "login to "+targetName, "break before step disk\n", prompt)
	r.types(m, typed{"session", []string{"session 1: logged in (connection up)"}}, typed{"history", []string{"1  login\n", "2  session\n"}})
	r.sends(m, "exit\n", "continuing with step disk", "break before step root\n", prompt)
	r.sends(m, "exit\n", "iscsiroot: break before step mount: exit continues", "break before step mount\n",
		"these may help:", "mount -t TYPE /dev/sdXN /sysroot", "help lists the commands", prompt)
	r.types(
		m,
		typed{"ls /", []string{"dev/", "proc/"}},
		typed{"ls -l /init", []string{"-rwxr-xr-x", "/init"}},
		typed{"cat /proc/cmdline", []string{"rd.break=root,mount,switch-root " + seedLine[:20]}},
		typed{"ip addr", []string{"lo: <LOOPBACK,UP,LOWER_UP>", "ens2: <BROADCAST,MULTICAST,UP,LOWER_UP>", "inet 10.77.0.2/24 scope global"}},
		typed{"ip route; ip neigh", []string{"10.77.0.0/24 dev ens2 src 10.77.0.2", "10.77.0.1 dev ens2 lladdr"}},
		typed{"lsmod | grep ^iscsi", []string{"iscsi_tcp"}},
		typed{"session", []string{"session 1: logged in (connection up)", "target", targetName, "portal     10.77.0.1 port 3260", "lun 0 is sda", "HeaderDigest=None", "MaxBurstLength="}},
		typed{"steps", []string{"login", "done in", "mount", "could start now", "check", "waits for mount"}},
		typed{"explain", []string{targetName + " (iscsi_t=)", "break before mount (rd.break=)"}},
		typed{"ping -c 1 10.77.0.1", []string{"bytes from 10.77.0.1: seq 1, ", "answered 1 of 1"}},
		typed{"dmesg | grep 'session 1' | head -n 1 | wc -l", []string{"\n1\n"}},
		typed{"blkid", []string{"sda1 (4 MiB, ext2", "sda2 (32 MiB, ext4"}},
		typed{"sleep 100 &", []string{"[1]\n"}},
		typed{"jobs", []string{"[1] running    sleep 100 &"}},
		typed{"kill %1; wait; ps | grep -c kworker", nil},
		typed{"for i in a b; do echo $i-$((6*7)); done > /run/x; cat /run/x", []string{"a-42\nb-42\n"}},
		typed{"mkdir -p /run/d/e && cp /run/x /run/d/e && find /run/d -type f && rm -r /run/d && ls /run/d", []string{"/run/d/e/x\n", "no such file"}},
		typed{"modprobe sd_mod && free && df / && uname -r", []string{"available", "MiB"}},
		typed{"kill -9 1", []string{"process 1 boots this machine"}},
		typed{"retry lunch", []string{"no such step lunch, there is modules, drivers"}},
		typed{"retry root=nonsense", []string{"parameter root=nonsense (byte 0 of the shell)"}},
		typed{"help", []string{"this boot:", "retry [STEP] [NAME=VALUE...]", "files:", "network:"}},
		typed{"help retry", []string{"the shell ends"}},
		typed{"frobnicate", []string{"frobnicate: no such command: try help"}},
	)
	r.interrupts(m)
	r.edits(m)
	r.sends(m, "kill -9 $$\n", "the shell was killed by signal 9", "continuing with step mount", "break before step switch-root\n", prompt)
	r.types(m, typed{"login", []string{"login: the agent already recovers the sessions"}}, typed{"session", []string{"ping after 15 s, lost 30 s later"}})
	r.sends(m, "exit\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.off(m)
}

// interrupts ends commands with Ctrl-C and finds that Ctrl-Z stops nothing.
func (r *rig) interrupts(m *lab.Machine) {
	r.t.Helper()
	for _, endless := range []string{"sleep 1000", "while true; do :; done", "cat", "cat /dev/zero > /dev/null", "ping -c 1000 10.77.0.1"} {
		r.sends(m, endless+"\n")
		r.settle(m, endless)
		r.pause()
		r.sends(m, "\x1a\x03", "\n"+prompt)
	}
}

// settle waits until the line that was typed has been echoed: what comes later
// is for the command.
func (r *rig) settle(m *lab.Machine, line string) {
	r.t.Helper()
	if _, err := m.ExpectMatch(r.ctx, regexp.MustCompile(regexp.QuoteMeta(line)+"\n")); err != nil {
		r.t.Fatal(err)
	}
}

// edits uses completion, the history and the keys of a line.
func (r *rig) edits(m *lab.Machine) {
	r.t.Helper()
	r.sends(m, "unam\t-s\n", "Linux\n", prompt)
	r.sends(m, "ls /sys/class/isc\t\t", "iscsi_connection/", "iscsi_session/")
	r.sends(m, "\x03", prompt)
	r.sends(m, "cho edited-$((40+2))\x01e\n", "edited-42\n", prompt)
	r.sends(m, "echo once-$((40+2))\n", "once-42\n", prompt)
	r.sends(m, "\x1b[A\n", "once-42\n", prompt)
	r.sends(m, "if true\nthen echo more-$((40+2))\nfi\n", "> ", "more-42\n", prompt)
}

// A failure opens the shell with what failed and what may help on top; mended by
// hand, the machine boots.
func TestShellAtFailure(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	wrong := strings.Replace(seedLine, "storage.remote1", "storage.remote2", 1)
	m := r.boot(virtio, "", "console=ttyS0 rd.shell rd.timeout=3 root=/dev/sda5 "+wrong)
	r.expect(m, "iscsiroot: opening a shell (rd.shell): retry tries again, exit gives up",
		"step login failed after", "(0203)", "hint: ", "these may help:", "ping ADDRESS", "explain", "login ADDRESS NAME", prompt)
	r.types(m, typed{"session", []string{"not connected", "last error of the login: ", "(0203)"}})
	r.sends(m, "login 10.77.0.1:3260 "+targetName+"\n", "login to "+targetName+" at 10.77.0.1:3260", "break before step disk\n", prompt)
	r.types(m, typed{"explain", []string{targetName + " (iscsi_t= in the shell)"}})
	r.sends(m, "exit\n", "step root failed after", "these may help:", "blkid", "retry root=DEVICE", prompt)
	r.types(m, typed{"mount -r /dev/sda2 /sysroot && ls /sysroot/sbin", []string{"init"}})
	r.sends(m, "retry\n", "root is /dev/sda2 (ext4), mounted by hand", "guest: mount: /dev/sda2 / ext4 ro,")
	r.off(m)
}

// A step that goes on trying for ever does not keep a person out, and can be
// given other parameters.
func TestShellWhileTrying(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	wrong := strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.77.0.1 iscsi_p=3261", 1)
	m := r.boot(virtio, "", "console=ttyS0 rd.shell root=/dev/sda5 "+wrong)
	r.expect(m, "login: press Enter for a shell")
	r.sends(m, "\n", "step login is being retried: ", "connection refused", prompt)
	r.types(m, typed{"steps | grep login", []string{"login", "running for", "tried"}})
	r.sends(m, "retry login iscsi_p=3260 root=/dev/sda2\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.off(m)
}

// secret is the password of the hash below, by openssl passwd -6.
const (
	secret     = "gh"
	secretHash = "$6$lamp$m5xlocLELoD83j3aQan1nhkCHOrRK7JRMD7gL.4nPGmLSL.MoVzQoj5/GN7Qc7sOB475ofeehJtKWBomjyFwk/"
)

// Of two consoles the one on which Enter is pressed gets the shell, and the
// password of the image's policy is asked for on it.
func TestShellConsolesAndPassword(t *testing.T) {
	r := newRig(t)
	policy := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(policy, []byte("rd.shell.password="+secretHash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	img := virtio
	img.file = policy + ":/etc/iscsiroot/policy"
	img.screen = true
	m := r.start(img, lab.MachineConfig{
		Append: "console=tty0 console=ttyS0 rd.shell.password=x rd.break=modules,network,login " + seedLine,
		NICs:   []lab.NIC{{Tap: r.tap}}, Args: []string{"-vga", "std"},
	})
	r.expect(m, "rd.shell.password= is valid only in the image's policy", "press Enter here for the shell")
	r.sends(m, "\n", "the shell of this image has a password", "password: ")
	r.sends(m, "wrong1\n", "wrong password", "password: ")
	r.sends(m, "\x03", "wrong password", "password: ")
	r.sends(m, secret+"\n", "break before step modules", prompt)
	r.types(m, typed{"explain | grep password", []string{"[redacted] (rd.shell.password= in the image's policy)"}})
	r.sends(m, "exit\n", "press Enter here for the shell")
	r.keys(m, "ret")
	r.screenShows(m, "password: ")
	r.keys(m, strings.Split(secret, "")...)
	r.keys(m, "ret")
	r.screenShows(m, prompt)
	r.keys(m, "e", "x", "i", "t", "ret")
	r.expect(m, "press Enter here for the shell")
	r.sends(m, "\n", "password: ")
	r.sends(m, "a\n", "wrong password", "password: ")
	r.sends(m, "b\n", "wrong password", "password: ")
	r.sends(m, "c\n", "the boot continues without a shell", "continuing with step login")
	for _, never := range []string{"wrong1", secretHash[8:]} {
		if strings.Contains(m.Output(), never) {
			t.Errorf("the console shows %q", never)
		}
	}
}

// keys presses keys of the keyboard, by QEMU's names.
func (r *rig) keys(m *lab.Machine, names ...string) {
	r.t.Helper()
	for _, name := range names {
		keys := map[string]any{"keys": []map[string]string{{"type": "qcode", "data": name}}}
		if _, err := m.QMP(r.ctx, "send-key", keys); err != nil {
			r.t.Fatal(err)
		}
		r.pause()
	}
}

// pause is between two keys, for a machine that is slow: no person types as
// fast as a test.
func (r *rig) pause() {
	r.t.Helper()
	select {
	case <-time.After(500 * time.Millisecond):
	case <-r.ctx.Done():
		r.t.Fatal(r.ctx.Err())
	}
}

// screenShows waits until the screen shows a text.
func (r *rig) screenShows(m *lab.Machine, text string) {
	r.t.Helper()
	for !strings.Contains(r.screen(m), text) {
		if r.ctx.Err() != nil {
			r.t.Fatalf("the screen does not show %q but\n%s", text, r.screen(m))
		}
		r.pause()
	}
}

// rd.shell=/bin/sh takes the image's own shell.
func TestShellOfTheImage(t *testing.T) {
	r := newRig(t)
	tree, err := images.BusyboxRoot()
	if err != nil {
		t.Fatal(err)
	}
	img := virtio
	img.file = tree["bin/busybox"].Source + ":/bin/sh"
	m := r.boot(img, "", "console=ttyS0 rd.shell=/bin/sh rd.break=modules rd.emergency=halt iscsi_if=none "+seedLine)
	r.expect(m, "break before step modules", "BusyBox", "# ")
	r.sends(m, "echo $((40+2))-$0\n", "42-sh\n", "# ")
	r.sends(m, "cat\n", "cat\n")
	r.pause()
	r.sends(m, "\x03", "^C", "# ")
	r.sends(m, "exit\n", "continuing with step modules")
}
