package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// iscsiroot is the host tool, built once.
var iscsiroot = sync.OnceValues(func() (string, error) {
	out := filepath.Join(built.dir, "iscsiroot")
	cmd := exec.Command("go", "build", "-o", out, "../cmd/iscsiroot")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return string(text), err
	}
	return out, nil
})

// trialRig is a hosts file with all files that it names, and a directory for the temporary files of
// try.
type trialRig struct {
	*rig

	hosts, dir, temp string
}

// newTrial writes a tree; more are further lines for the machine.
func newTrial(t *testing.T, head, more string, loaders ...string) *trialRig {
	t.Helper()
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("plain")})
	s := r.newBootServer(head+strings.Replace(hostsBody, "append: [console=ttyS0, loglevel=7]", "disk: "+r.disk.Path, 1)+more, virtio, loaders...)
	return &trialRig{rig: r, hosts: s.hosts, dir: s.dir, temp: t.TempDir()}
}

// try runs iscsiroot try, and checks that it leaves no files behind and, without --write, the disk
// unchanged.
func (r *trialRig) try(args ...string) (stdout, stderr string, err error) {
	r.t.Helper()
	program, err := iscsiroot()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, program)
	}
	before, err := r.disk.SHA256()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.ctx, program, append([]string{"try", "remote1", "--hosts", r.hosts, "--dir", r.dir}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+r.temp)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if left, globErr := filepath.Glob(filepath.Join(r.temp, "*")); globErr != nil || len(left) > 0 {
		r.t.Errorf("left behind: %q, %v", left, globErr)
	}
	if after, sumErr := r.disk.SHA256(); sumErr != nil || (after != before) != slices.Contains(args, "--write") {
		r.t.Errorf("the disk is the same: %t, %v", after == before, sumErr)
	}
	return out.String(), errs.String(), err
}

// A machine of the hosts file passes, and each stage is reported.
func TestTry(t *testing.T) {
	r := newTrial(t, hostsHead, "    append: [rw, quiet]\n", "pxelinux.0", "ldlinux.c32")
	log := filepath.Join(t.TempDir(), "console")
	out, errs, err := r.try("--log", log)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	want := regexp.MustCompile(`(?s)^firmware +[\d.]+ s\nloader +[\d.]+ s\nkernel +[\d.]+ s\ninit +[\d.]+ s\n.*  login +[\d.]+ s\n.*root's init +[\d.]+ s\nremote1: pass in [\d.]+ s\n$`)
	if !want.MatchString(out) {
		t.Errorf("output:\n%s", out)
	}
	if want := "iscsiroot: quiet is left out\niscsiroot: console=ttyS0 is added\n"; errs != want {
		t.Errorf("on stderr %q, want %q", errs, want)
	}
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "read-write): starting /sbin/init after") || !strings.Contains(string(text), "\nguest: ") {
		t.Errorf("console %v\n%s", err, text)
	}
}

// GRUB loaded by OVMF, and CHAP, for which try starts tgtd.
func TestTryGRUBAndCHAP(t *testing.T) {
	r := newTrial(t, hostsHead+"loader: grub\n", "    chap: secrets\n    lun: 3\n", "grubx64.efi")
	out, errs, err := r.try("--expect", "guest: mount: /dev/sda2 / ext3 ro,")
	if err != nil || !strings.Contains(out, "remote1: pass in ") || strings.Contains(out+errs, "open-sesame-12") {
		t.Errorf("%v\n%s%s", err, out, errs)
	}
}

// The machine writes to its disk, with an e1000 instead of a virtio NIC.
func TestTryWrites(t *testing.T) {
	r := newTrial(t, hostsHead, "    append: [rw]\n", "pxelinux.0", "ldlinux.c32")
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: root(write())})
	other := e1000
	other.packed = true
	img, err := os.ReadFile(other.build(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, "tftp", "initrd.img"), img, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, errs, err := r.try("--disk", r.disk.Path, "--write", "--nic", "e1000", "--expect", wrote())
	if err != nil || !strings.Contains(out, "remote1: pass in ") {
		t.Errorf("%v\n%s%s", err, out, errs)
	}
	checkSums(r.rig, loadFiles)
}

// A mistake in the hosts file is reported with the message of the machine's console. The tree is
// served by HTTP here.
func TestTryFails(t *testing.T) {
	r := newTrial(t, hostsHead+"http: http://10.77.0.1:8080/boot\nloader: ipxe\n", "    root: LABEL=rooot\n")
	out, errs, err := r.try()
	if err == nil || !strings.Contains(out, "\nkernel ") || !strings.Contains(out, "remote1: fail after ") {
		t.Errorf("%v\n%s%s", err, out, errs)
	}
	for _, want := range []string{"iscsiroot: try remote1: failed at init: step root failed after ", "root LABEL=rooot: no such device on the disks of the iSCSI sessions", "hint: correct root=: there is sda"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
}

// Missing files and programs are reported before anything starts.
func TestTryPrerequisites(t *testing.T) {
	r := newTrial(t, hostsHead, "", "pxelinux.0")
	if _, errs, err := r.try(); err == nil || !strings.Contains(errs, "ldlinux.c32 is not there: copy /usr/lib/syslinux/") {
		t.Errorf("no loader: %v, %s", err, errs)
	}
	if _, errs, err := r.try("--disk", "/nonexistent"); err == nil {
		t.Errorf("no disk: %s", errs)
	}
	program, err := iscsiroot()
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(r.openDir(), "iscsiroot")
	data, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(copied, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(filepath.Dir(copied), "hosts.yaml")
	if err := os.WriteFile(public, []byte(hostsHead+hostsBody+"    disk: /none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, path, want string
		uid              uint32
	}{
		{"remote1", os.Getenv("PATH"), "iscsiroot: try remote1: a network namespace needs root privileges: run this as root\n", 65534},
		{"remote1", "/nonexistent", "install QEMU (Debian's package is qemu-system-x86)\n", 0},
		{"remote9", os.Getenv("PATH"), "iscsiroot: try remote9: no host of that name: there is remote1\n", 0},
	} {
		cmd := exec.CommandContext(r.ctx, copied, "try", c.host, "--hosts", public)
		cmd.Env = []string{"PATH=" + c.path}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasSuffix(string(out), c.want) {
			t.Errorf("%s as %d: %v, %q, want %q", c.host, c.uid, err, out, c.want)
		}
	}
}
