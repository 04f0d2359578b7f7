package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// debianDeadline is for a whole Debian, which takes a minute to start on a processor that is emulated, and more on a busy host.
const debianDeadline = 16 * time.Minute

// debian is a machine with a whole Debian system as its root, and someone logged in on its console.
type debian struct {
	*rig
	m     *lab.Machine
	asked int
	data  string // the sum of what was written, in hex

	target   *targets.Tgtd // where a test needs it later
	relogins bool          // its session is meant to be logged in anew
}

// newDebian makes the disk: root is partition 2 and has the label root.
func newDebian(t *testing.T, kind string) *debian {
	t.Helper()
	r := newRig(t)
	d, err := images.DebianDisk(kind, filepath.Join(t.TempDir(), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	r.disk = d
	one := &debian{rig: r}
	one.renew()
	return one
}

// renew gives the machine its time anew.
func (d *debian) renew() {
	ctx, cancel := context.WithTimeout(d.t.Context(), debianDeadline)
	d.t.Cleanup(cancel)
	d.ctx = ctx
}

// boot boots the system to its login prompt, and logs in.
func (d *debian) boot(kernel, line string) {
	d.t.Helper()
	d.m = d.start(image{kernel: kernel, nics: "virtio_net"}, lab.MachineConfig{
		Append: "console=ttyS0 root=LABEL=root " + seedLine + " " + line, MemoryMiB: 1024, NICs: []lab.NIC{{Tap: d.tap}},
	})
	d.login()
}

// login waits for the real system to start, and logs in.
func (d *debian) login() {
	d.t.Helper()
	d.expect(d.m, "starting /sbin/init")
	d.prompt()
}

// prompt waits for the login prompt, and logs in.
func (d *debian) prompt() {
	d.t.Helper()
	d.expect(d.m, images.DebianHost+" login: ")
	d.typeLine("root")
	d.expect(d.m, "Password: ")
	d.typeLine(images.DebianPassword)
	d.expect(d.m, "root@"+images.DebianHost)
	d.ask("export TERM=dumb PAGER=cat SYSTEMD_PAGER=cat; dmesg -n 4; stty -echo; bind 'set enable-bracketed-paste off'")
}

func (d *debian) typeLine(text string) {
	d.t.Helper()
	if err := d.m.Send(text + "\n"); err != nil {
		d.t.Fatal(err)
	}
}

// ask runs a command and returns what it prints, without the kernel's lines between it; dmesg -t has no such. The marks around
// it are computed by the shell, so that what is typed is not taken for the answer, and end before the line does: there the
// kernel may begin one of its own.
func (d *debian) ask(command string) string {
	d.t.Helper()
	d.asked++
	d.typeLine(fmt.Sprintf("echo begin-$((%d+0)).; %s; echo end-$((%[1]d+0)).", d.asked, command))
	d.expect(d.m, fmt.Sprintf("begin-%d.", d.asked))
	end := fmt.Sprintf("end-%d.", d.asked)
	text, err := d.m.Expect(d.ctx, end)
	if err != nil {
		d.t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(kernelLine.ReplaceAllString(strings.TrimSuffix(text, end), ""))
}

// kernelLine is what the kernel prints on a console, wherever it does.
var kernelLine = regexp.MustCompile(`\[ *\d+\.\d{6}\] [^\n]*\n`)

// off switches the machine off as its user would, and looks at what is left.
func (d *debian) off() {
	d.t.Helper()
	d.ends("poweroff", "guest-shutdown")
}

// ends ends the machine by a command, which QEMU sees for a reason.
func (d *debian) ends(command, reason string) {
	d.t.Helper()
	begin := time.Now()
	d.typeLine(command)
	exit, err := d.m.Wait(d.ctx)
	if err != nil || exit.Reason != reason {
		d.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	d.t.Logf("%s took %.1f s", command, time.Since(begin).Seconds())
	for _, bad := range []string{"I/O error", "rejecting I/O", "conn error", "EXT4-fs error", "EXT4-fs warning", "blocked for more than"} {
		if strings.Contains(d.m.Output(), bad) && !(d.relogins && bad == "conn error") {
			d.t.Errorf("the console shows %q", bad)
		}
	}
	if err := d.disk.Check(2); err != nil {
		d.t.Error(err)
	}
	if d.data != "" {
		d.checkData()
	}
}

// readOnlyTgtd exports a LUN that says itself that it cannot be written.
func (d *debian) readOnlyTgtd() {
	d.t.Helper()
	if _, err := d.tgtd().Admin(d.ctx, "--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", "readonly=1"); err != nil {
		d.t.Fatal(err)
	}
}
