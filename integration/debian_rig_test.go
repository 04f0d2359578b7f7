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

// debianDeadline is for a whole Debian, which takes a minute to start on an emulated processor, and
// longer on a busy host.
const debianDeadline = 16 * time.Minute

// debian is a machine with a whole Debian system as its root, and a root login on its console.
type debian struct {
	*rig
	m        *lab.Machine
	commands int
	data     string // the sum of what was written, in hex

	target   *targets.Tgtd // set if the test uses it after the boot
	relogins bool          // the session is expected to log in again
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

// renew starts the machine's deadline again.
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
	d.run("export TERM=dumb PAGER=cat SYSTEMD_PAGER=cat; dmesg -n 4; stty -echo; bind 'set enable-bracketed-paste off'")
}

func (d *debian) typeLine(text string) {
	d.t.Helper()
	if err := d.m.Send(text + "\n"); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a command and returns its output, without kernel lines in between; dmesg -t prints no
// line of that form. The shell computes the marks around the output, so that the echo of the
// command does not match them, and the marks end before the line's end, where a kernel line may
// begin.
func (d *debian) run(command string) string {
	d.t.Helper()
	d.commands++
	d.typeLine(fmt.Sprintf("echo begin-$((%d+0)).; %s; echo end-$((%[1]d+0)).", d.commands, command))
	d.expect(d.m, fmt.Sprintf("begin-%d.", d.commands))
	end := fmt.Sprintf("end-%d.", d.commands)
	text, err := d.m.Expect(d.ctx, end)
	if err != nil {
		d.t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(kernelLine.ReplaceAllString(strings.TrimSuffix(text, end), ""))
}

// kernelLine is a line of the kernel on the console, which may begin in the middle of another.
var kernelLine = regexp.MustCompile(`\[ *\d+\.\d{6}\] [^\n]*\n`)

// powerOff runs poweroff, and checks the console and the disk.
func (d *debian) powerOff() {
	d.t.Helper()
	d.shutDown("poweroff", "guest-shutdown")
}

// shutDown ends the machine with a command and checks the reason that QEMU reports.
func (d *debian) shutDown(command, reason string) {
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

// startReadOnlyTgtd exports a LUN that reports itself write-protected.
func (d *debian) startReadOnlyTgtd() {
	d.t.Helper()
	if _, err := d.tgtd().Admin(d.ctx, "--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", "readonly=1"); err != nil {
		d.t.Fatal(err)
	}
}
