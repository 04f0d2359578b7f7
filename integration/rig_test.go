package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// The HOWTO's names, with addresses of the test network.
const (
	initiator  = "iqn.2007-01.com.example:server.remote1"
	targetName = "iqn.2007-01.com.example:storage.remote1"
	// seedLine is the command line of the HOWTO.
	seedLine = "iscsi_i=" + initiator + " iscsi_i_ip=10.77.0.2/255.255.255.0 iscsi_t=" + targetName + " iscsi_a=10.77.0.1"
)

// bootDeadline is for one boot on a slow and busy machine.
const bootDeadline = 5 * time.Minute

// textDeadline is for one text of a test that is longer than a boot.
const textDeadline = 8 * time.Minute

// image describes an initramfs; equal ones are built once for all tests.
type image struct {
	kernel string // name for deps.FindKernel; empty: amd64
	nics   string // comma-separated
	net    string // comma-separated kinds of devices made of NICs
	stack  string // comma-separated kinds of storage that root stands on
	driver string // a further module
	init   string // path of init; empty: the real one
	path   string // an existing image; the other fields are ignored then
	file   string // a further file, "source:path in the image"
	packed bool   // compressed, as images of users are; without it the kernel starts faster
	screen bool   // the kernel finds the PC's screen, in its real-mode code
}

var initrds sync.Map // image -> func() (string, error)

func (i image) find() (deps.Kernel, error) {
	if i.kernel == "" {
		return deps.FindKernel("amd64")
	}
	return deps.FindKernel(i.kernel)
}

func (i image) build(t testing.TB) string {
	t.Helper()
	if i.path != "" {
		return i.path
	}
	once, _ := initrds.LoadOrStore(i, sync.OnceValues(func() (string, error) {
		k, err := i.find()
		if err != nil {
			return "", err
		}
		cfg := initramfs.Config{
			Root: k.ModulesRoot, KernelVersion: k.Release, InitPath: i.init, FileSystems: []string{"ext4"}, Compression: initramfs.None,
		}
		switch {
		case i.packed:
			cfg.InitPath, cfg.PackedInit, cfg.Compression = "", built.packed(), initramfs.Zstd
		case i.init == "":
			cfg.InitPath = built.init()
		}
		if i.nics != "" {
			cfg.NICs = strings.Split(i.nics, ",")
		}
		if i.net != "" {
			cfg.Network = strings.Split(i.net, ",")
		}
		if i.stack != "" {
			cfg.Storage = strings.Split(i.stack, ",")
		}
		if i.driver != "" {
			cfg.Drivers = []string{i.driver}
		}
		if src, dst, ok := strings.Cut(i.file, ":"); ok {
			cfg.Files = []initramfs.File{{Path: dst, Source: src, Mode: 0o755}}
		}
		out := filepath.Join(built.dir, fmt.Sprintf("initrd-%x.img", sha256.Sum256(fmt.Appendf(nil, "%#v", i))))
		_, err = initramfs.Build(context.Background(), cfg, out)
		return out, err
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rig is a network namespace with a tap for a machine and the disk of a target.
type rig struct {
	t    *failureLog
	ctx  context.Context
	ns   *lab.Namespace
	tap  *lab.Tap
	disk *images.Disk
}

func newRig(t *testing.T) *rig {
	t.Helper()
	begin(t)
	ctx, cancel := context.WithTimeout(t.Context(), bootDeadline)
	t.Cleanup(cancel)
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	tap, err := ns.AddTap("tap0", netip.MustParsePrefix("10.77.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: &failureLog{T: t}, ctx: ctx, ns: ns, tap: tap}
}

// root is a tree with the guest as init; script has the guest's commands.
func root(script string) images.Tree {
	return images.Tree{
		"sbin/init": images.Copy(built.guest()),
		"etc/guest": images.Text(script),
		"dev":       images.Dir(), "proc": images.Dir(), "sys": images.Dir(), "run": images.Dir(),
	}
}

// makeDisk makes the HOWTO's disk: a small partition first, root on partition 2.
func (r *rig) makeDisk(fs images.Filesystem) {
	r.t.Helper()
	small := images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{"boot": images.Dir()}}
	d, err := images.WriteDisk(filepath.Join(r.t.TempDir(), "disk.img"), small, fs)
	if err != nil {
		r.t.Fatal(err)
	}
	r.disk = d
}

func (r *rig) targetConfig() targets.Config {
	return targets.Config{
		Name:   targetName,
		Portal: netip.MustParseAddrPort("10.77.0.1:3260"),
		LUNs:   map[int]string{0: r.disk.Path},
	}
}

func (r *rig) gotgt() targets.Target {
	r.t.Helper()
	target, err := targets.StartGotgt(r.ctx, r.ns, r.targetConfig())
	if err != nil {
		r.t.Fatal(err)
	}
	return target
}

func (r *rig) tgtd(initiators ...string) *targets.Tgtd {
	r.t.Helper()
	c := r.targetConfig()
	c.LUNs = map[int]string{1: r.disk.Path}
	c.Initiators = initiators
	target, err := targets.StartTgtd(r.ctx, r.ns, c)
	if err != nil {
		r.t.Fatal(err)
	}
	return target
}

// boot starts the machine with one NIC and a command line.
func (r *rig) boot(img image, model, line string) *lab.Machine {
	r.t.Helper()
	return r.bootWith(img, line, lab.NIC{Model: model, Tap: r.tap})
}

func (r *rig) bootWith(img image, line string, nics ...lab.NIC) *lab.Machine {
	r.t.Helper()
	return r.start(img, lab.MachineConfig{Append: line, NICs: nics})
}

// bootReboot boots a machine that can reboot; without it a reboot ends the machine.
func (r *rig) bootReboot(img image, line string) *lab.Machine {
	r.t.Helper()
	return r.start(img, lab.MachineConfig{Append: line, Reboot: true, NICs: []lab.NIC{{Tap: r.tap}}})
}

func (r *rig) start(img image, c lab.MachineConfig) *lab.Machine {
	r.t.Helper()
	k, err := img.find()
	if err != nil {
		r.t.Fatal(err)
	}
	c.Initrd = img.build(r.t)
	if c.Kernel = k.Image; !img.screen {
		if c.Kernel, err = k.Vmlinux(); err != nil {
			r.t.Fatal(err)
		}
	}
	m, err := r.ns.StartMachine(r.ctx, c)
	if err != nil {
		r.t.Fatal(err)
	}
	times.watch(r.t, m)
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("console:\n%s", m.Output())
			r.t.repeat()
		}
	})
	return m
}

// bare boots an initramfs that contains a tree alone.
func (r *rig) bare(tree images.Tree, line string) *lab.Machine {
	r.t.Helper()
	initrd := filepath.Join(r.t.TempDir(), "initrd")
	if err := images.WriteInitrd(initrd, tree); err != nil {
		r.t.Fatal(err)
	}
	return r.start(image{path: initrd}, lab.MachineConfig{Append: "console=ttyS0 " + line, NICs: []lab.NIC{{Tap: r.tap}}})
}

// checkShown checks that the console has shown the texts, at any time.
func (r *rig) checkShown(m *lab.Machine, texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(m.Output(), text) {
			r.t.Errorf("the console does not show %q", text)
		}
	}
}

// expect waits for each text, one after the other, on the machine's console.
func (r *rig) expect(m *lab.Machine, texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		ctx, cancel := context.WithTimeout(r.ctx, textDeadline)
		_, err := m.Expect(ctx, text)
		cancel()
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// offDeadline is for the kernel's power-off, which is immediate.
const offDeadline = time.Minute

// waitOff waits for the guest to power the machine off. The kernel may hang in that: it resets the
// NIC, and then a TCP timer makes the driver send, which waits for the NIC without end
// (drivers/net/virtio_net.c: start_xmit). That does not fail the test.
func (r *rig) waitOff(m *lab.Machine) {
	r.t.Helper()
	r.expect(m, "guest: end")
	ctx, cancel := context.WithTimeout(r.ctx, offDeadline)
	defer cancel()
	exit, err := m.Wait(ctx)
	if err != nil && strings.Contains(m.Output(), "device_shutdown+") && strings.Contains(m.Output(), "start_xmit+") {
		r.t.Log("the kernel hangs in the NIC's driver at power-off")
		if err := m.Stop(); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	if err != nil || exit.Reason != "guest-shutdown" {
		r.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
}

// The images that most tests boot.
var (
	virtio = image{nics: "virtio_net"}
	e1000  = image{nics: "e1000"}
)
