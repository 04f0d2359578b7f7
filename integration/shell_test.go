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

// shellLine is a command for the shell and texts of its output, in this order.
type shellLine struct {
	line  string
	wants []string
}

// runLines sends each line and waits for its texts and the next prompt.
func (r *rig) runLines(m *lab.Machine, lines ...shellLine) {
	r.t.Helper()
	for _, l := range lines {
		r.send(m, l.line+"\n", append(l.wants, prompt)...)
	}
}

// send sends text unchanged and waits for texts.
func (r *rig) send(m *lab.Machine, text string, wants ...string) {
	r.t.Helper()
	if err := m.Send(text); err != nil {
		r.t.Fatal(err)
	}
	r.expect(m, wants...)
}

// The shell opens at a break in an image without any other binary, and its commands work; login
// returns to the break, and a killed shell continues the boot like exit.
func TestShellAtBreak(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 rd.break=root,mount,switch-root "+seedLine)
	r.expect(m, "iscsiroot: break before step root: exit continues", "break before step root", prompt)
	// A login by hand stops before the next step, and then at the break.
	r.send(m, "login\n", "trying again", "login to "+targetName, "break before step disk", prompt)
	r.runLines(m, shellLine{"session", []string{"session 1: logged in (connection up)"}}, shellLine{"history", []string{"1  login\n", "2  session\n"}})
	r.send(m, "exit\n", "continuing with step disk", "break before step root", prompt)
	r.send(m, "exit\n", "iscsiroot: break before step mount: exit continues", "break before step mount",
		"these may help:", "mount -t TYPE /dev/sdXN /sysroot", "help lists the commands", prompt)
	r.runLines(
		m,
		shellLine{"ls /", []string{"dev/", "proc/"}},
		shellLine{"ls -l /init", []string{"-rwxr-xr-x", "/init"}},
		shellLine{"cat /proc/cmdline", []string{"rd.break=root,mount,switch-root " + seedLine[:20]}},
		shellLine{"ip addr", []string{"lo: <LOOPBACK,UP,LOWER_UP>", "ens2: <BROADCAST,MULTICAST,UP,LOWER_UP>", "inet 10.77.0.2/24 scope global"}},
		shellLine{"ip route; ip neigh", []string{"10.77.0.0/24 dev ens2 src 10.77.0.2", "10.77.0.1 dev ens2 lladdr"}},
		shellLine{"lsmod | grep ^iscsi", []string{"iscsi_tcp"}},
		shellLine{"session", []string{"session 1: logged in (connection up)", "target", targetName, "portal     10.77.0.1 port 3260", "lun 0 is sda", "HeaderDigest=None", "MaxBurstLength="}},
		shellLine{"steps", []string{"login", "done in", "mount", "could start now", "check", "waits for mount"}},
		shellLine{"explain", []string{targetName + " (iscsi_t=)", "break before mount (rd.break=)"}},
		shellLine{"ping -c 1 10.77.0.1", []string{"bytes from 10.77.0.1: seq 1, ", "answered 1 of 1"}},
		shellLine{"dmesg | grep 'session 1' | head -n 1 | wc -l", []string{"\n1\n"}},
		shellLine{"blkid", []string{"sda1 (4 MiB, ext2", "sda2 (32 MiB, ext4"}},
		shellLine{"sleep 100 &", []string{"[1]\n"}},
		shellLine{"jobs", []string{"[1] running    sleep 100 &"}},
		shellLine{"kill %1; wait; ps | grep -c kworker", nil},
		shellLine{"for i in a b; do echo $i-$((6*7)); done > /run/x; cat /run/x", []string{"a-42\nb-42\n"}},
		shellLine{"mkdir -p /run/d/e && cp /run/x /run/d/e && find /run/d -type f && rm -r /run/d && ls /run/d", []string{"/run/d/e/x\n", "no such file"}},
		shellLine{"modprobe sd_mod && free && df / && uname -r", []string{"available", "MiB"}},
		shellLine{"kill -9 1", []string{"process 1 boots this machine"}},
		shellLine{"retry lunch", []string{"no such step lunch: the steps are modules, drivers"}},
		shellLine{"retry root=nonsense", []string{"parameter root=nonsense (byte 0 of the shell)"}},
		shellLine{"help", []string{"this boot:", "retry [STEP] [NAME=VALUE...]", "files:", "network:"}},
		shellLine{"help retry", []string{"the shell ends"}},
		shellLine{"frobnicate", []string{"frobnicate: no such command: try help"}},
	)
	r.interrupts(m)
	r.edits(m)
	r.send(m, "kill -9 $$\n", "the shell was killed by signal 9", "continuing with step mount", "break before step switch-root", prompt)
	r.runLines(m, shellLine{"login", []string{"login: the agent already recovers the sessions"}}, shellLine{"session", []string{"ping after 15 s, lost 30 s later"}})
	r.send(m, "exit\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// interrupts ends commands with Ctrl-C and checks that Ctrl-Z has no effect.
func (r *rig) interrupts(m *lab.Machine) {
	r.t.Helper()
	for _, endless := range []string{"sleep 1000", "while true; do :; done", "cat", "cat /dev/zero > /dev/null", "ping -c 1000 10.77.0.1"} {
		r.send(m, endless+"\n")
		r.settle(m, endless)
		r.pause()
		r.send(m, "\x1a\x03", "\n"+prompt)
	}
}

// settle waits until a line has been echoed: later input is for the command.
func (r *rig) settle(m *lab.Machine, line string) {
	r.t.Helper()
	if _, err := m.ExpectMatch(r.ctx, regexp.MustCompile(regexp.QuoteMeta(line)+"\n")); err != nil {
		r.t.Fatal(err)
	}
}

// edits uses completion, the history and the editing keys.
func (r *rig) edits(m *lab.Machine) {
	r.t.Helper()
	r.send(m, "unam\t-s\n", "Linux\n", prompt)
	r.send(m, "ls /sys/class/isc\t\t", "iscsi_connection/", "iscsi_session/")
	r.send(m, "\x03", prompt)
	r.send(m, "cho edited-$((40+2))\x01e\n", "edited-42\n", prompt)
	r.send(m, "echo once-$((40+2))\n", "once-42\n", prompt)
	r.send(m, "\x1b[A\n", "once-42\n", prompt)
	r.send(m, "if true\nthen echo more-$((40+2))\nfi\n", "> ", "more-42\n", prompt)
}

// A failure opens the shell, which first prints the failed step and useful commands; repaired by
// hand, the machine boots.
func TestShellAtFailure(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	wrong := strings.Replace(seedLine, "storage.remote1", "storage.remote2", 1)
	m := r.boot(virtio, "", "console=ttyS0 rd.shell rd.timeout=3 root=/dev/sda5 "+wrong)
	r.expect(m, "iscsiroot: opening a shell (rd.shell): retry tries again, exit gives up",
		"step login failed after", "(0203)", "hint: ", "these may help:", "ping ADDRESS", "explain", "login ADDRESS NAME", prompt)
	r.runLines(m, shellLine{"session", []string{"not connected", "last error of the login: ", "(0203)"}})
	r.send(m, "login 10.77.0.1:3260 "+targetName+"\n", "login to "+targetName+" at 10.77.0.1:3260", "break before step disk", prompt)
	r.runLines(m, shellLine{"explain", []string{targetName + " (iscsi_t= in the shell)"}})
	r.send(m, "exit\n", "step root failed after", "these may help:", "blkid", "retry root=DEVICE", prompt)
	r.runLines(m, shellLine{"mount -r /dev/sda2 /sysroot && ls /sysroot/sbin", []string{"init"}})
	r.send(m, "retry\n", "root is /dev/sda2 (ext4), mounted by hand", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// During a step that is retried without end the shell can be opened, and the step retried with
// other parameters.
func TestShellDuringRetry(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	wrong := strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.77.0.1 iscsi_p=3261", 1)
	m := r.boot(virtio, "", "console=ttyS0 rd.shell root=/dev/sda5 "+wrong)
	r.expect(m, "login: press Enter for a shell")
	r.send(m, "\n", "step login is being retried: ", "connection refused", prompt)
	r.runLines(m, shellLine{"steps | grep login", []string{"login", "running for", "tried"}})
	r.send(m, "retry login iscsi_p=3260 root=/dev/sda2\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// secret is the password of the hash below, by openssl passwd -6.
const (
	secret     = "gh"
	secretHash = "$6$lamp$m5xlocLELoD83j3aQan1nhkCHOrRK7JRMD7gL.4nPGmLSL.MoVzQoj5/GN7Qc7sOB475ofeehJtKWBomjyFwk/"
)

// Of two consoles the one on which Enter is pressed gets the shell, and the prompt for the password
// of the image's policy.
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
	r.send(m, "\n", "the shell of this image has a password", "password: ")
	r.send(m, "wrong1\n", "wrong password", "password: ")
	r.send(m, "\x03", "wrong password", "password: ")
	r.send(m, secret+"\n", "break before step modules", prompt)
	r.runLines(m, shellLine{"explain | grep password", []string{"[redacted] (rd.shell.password= in the image's policy)"}})
	r.send(m, "exit\n", "press Enter here for the shell")
	r.keys(m, "ret")
	r.screenShows(m, "password: ")
	r.keys(m, strings.Split(secret, "")...)
	r.keys(m, "ret")
	r.screenShows(m, prompt)
	r.keys(m, "e", "x", "i", "t", "ret")
	r.expect(m, "press Enter here for the shell")
	r.send(m, "\n", "password: ")
	r.send(m, "a\n", "wrong password", "password: ")
	r.send(m, "b\n", "wrong password", "password: ")
	r.send(m, "c\n", "the boot continues without a shell", "continuing with step login")
	for _, never := range []string{"wrong1", secretHash[8:]} {
		if strings.Contains(m.Output(), never) {
			t.Errorf("the console shows %q", never)
		}
	}
}

// keys sends keys of the keyboard, by QEMU's names.
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

// pause waits between two keys, for a slow machine.
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

// rd.shell=/bin/sh starts the image's own shell.
func TestImageShell(t *testing.T) {
	r := newRig(t)
	tree, err := images.BusyboxRoot()
	if err != nil {
		t.Fatal(err)
	}
	img := virtio
	img.file = tree["bin/busybox"].Source + ":/bin/sh"
	m := r.boot(img, "", "console=ttyS0 rd.shell=/bin/sh rd.break=modules rd.emergency=halt iscsi_if=none "+seedLine)
	r.expect(m, "break before step modules", "BusyBox", "# ")
	r.send(m, "echo $((40+2))-$0\n", "42-sh\n", "# ")
	r.send(m, "cat\n", "cat\n")
	r.pause()
	r.send(m, "\x03", "^C", "# ")
	r.send(m, "exit\n", "continuing with step modules")
}
