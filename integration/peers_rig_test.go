package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// Made-up credentials. The secrets are texts that nothing else prints.
var (
	oneWay = targets.CHAP{User: "remote1", Secret: "quiet-otter-lantern"}
	mutual = targets.CHAP{User: "remote1", Secret: "quiet-otter-lantern", MutualUser: "storage1", MutualSecret: "amber-violin-glacier"}
)

// credentials are the CHAP settings of a login, with the given algorithms.
func credentials(c targets.CHAP, algorithms ...iscsi.Algorithm) *iscsi.CHAP {
	return &iscsi.CHAP{
		User: c.User, Secret: iscsi.NewSecret([]byte(c.Secret)),
		TargetUser: c.MutualUser, TargetSecret: iscsi.NewSecret([]byte(c.MutualSecret)), Algorithms: algorithms,
	}
}

// The parts of a command line.
const (
	machineLine = "console=ttyS0 iscsi_i=" + initiator + " iscsi_i_ip=10.77.0.2/24 "
	targetLine  = "iscsi_t=" + targetName + " "
	oneWayLine  = "iscsi_u=remote1 iscsi_w=quiet-otter-lantern "
	mutualLine  = oneWayLine + "iscsi_U=storage1 iscsi_W=amber-violin-glacier "
)

// peerRig is a rig whose machine is on a bridge with the host, which has several addresses, and
// with further machines.
type peerRig struct {
	*rig
	bridge *lab.Bridge
}

func newPeerRig(t *testing.T) peerRig {
	t.Helper()
	begin(t)
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	r := peerRig{rig: &rig{t: &failureLog{T: t}, ns: ns}}
	r.renew()
	r.bridge, err = ns.AddBridge("br0", netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("10.77.0.9/24"), netip.MustParsePrefix("fd77::1/64"))
	if err != nil {
		t.Fatal(err)
	}
	if r.tap, err = r.bridge.AddTap("tap0"); err != nil {
		t.Fatal(err)
	}
	return r
}

// renew gives the rig another deadline, for a test of many boots.
func (r *rig) renew() {
	ctx, cancel := context.WithTimeout(r.t.Context(), bootDeadline)
	r.t.Cleanup(cancel)
	r.ctx = ctx
}

// startTgtd starts tgtd with c, by default at the host's first address and with the rig's disk as
// LUN 1.
func (r *rig) startTgtd(c targets.Config) *targets.Tgtd {
	r.t.Helper()
	if c.Name == "" {
		c.Name = targetName
	}
	if !c.Portal.IsValid() {
		c.Portal = netip.MustParseAddrPort("10.77.0.1:3260")
	}
	if c.LUNs == nil {
		c.LUNs = map[int]string{1: r.disk.Path}
	}
	target, err := targets.StartTgtd(r.ctx, r.ns, c)
	if err != nil {
		r.t.Fatal(err)
	}
	return target
}

// dataTree is a root whose guest verifies the files written by the host, and then runs script.
func dataTree(script string) images.Tree {
	tree := root("verify " + script)
	sums := ""
	random := rand.NewChaCha8([32]byte{5})
	for i := range 4 {
		content := make([]byte, 1<<20+i)
		_, _ = random.Read(content)
		name := fmt.Sprintf("given%d", i)
		tree["data/"+name] = images.Text(string(content))
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name)
	}
	tree["data/SHA256SUMS"] = images.Text(sums)
	return tree
}

const verified = "guest: verified 4 files of 4194310 bytes in all"

// dataDisk makes the disk of dataTree with free space for writes.
func (r *rig) dataDisk(script string) {
	r.t.Helper()
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: dataTree(script)})
}

// bootToRoot boots until the guest has verified its data, and checks that the console has shown the
// texts at any time.
func (r *rig) bootToRoot(img image, line string, shown ...string) *lab.Machine {
	r.t.Helper()
	r.renew()
	m := r.boot(img, "", line)
	r.expect(m, verified)
	r.waitOff(m)
	r.checkShown(m, shown...)
	return m
}

// bootToFailure boots until the step login gives up, and checks that the console has shown the
// texts.
func (r *rig) bootToFailure(line string, shown ...string) {
	r.t.Helper()
	r.bootUntil(line, []string{"iscsiroot: rebooting in 60 s"}, shown)
}

// bootToNoDisk boots until the step disk has retried for ten seconds, and checks that the console
// has shown the texts. The step gives up after thirty, for which TestFailureCases waits.
func (r *rig) bootToNoDisk(line string, shown ...string) {
	r.t.Helper()
	r.bootUntil(line, []string{"iscsiroot: disk: still trying after 1", "map the disk for this initiator at the target"}, shown)
}

// bootUntil boots until the console shows the texts of until, one after the other, and checks those
// of shown at any time.
func (r *rig) bootUntil(line string, until, shown []string) {
	r.t.Helper()
	r.renew()
	m := r.boot(virtio, "", line)
	r.expect(m, until...)
	r.checkShown(m, shown...)
	r.checkNoSecrets(m)
	if err := m.Stop(); err != nil {
		r.t.Fatal(err)
	}
}

// checkNoSecrets checks that no line on the console but the kernel's own command line has a secret.
func (r *rig) checkNoSecrets(m *lab.Machine) {
	r.t.Helper()
	for _, line := range m.Lines() {
		if strings.Contains(line.Text, "ommand line: ") || strings.Contains(line.Text, "Unknown kernel command line parameters") {
			continue // the kernel's own
		}
		for _, secret := range []string{mutual.Secret, mutual.MutualSecret} {
			if strings.Contains(line.Text, secret) {
				r.t.Errorf("the console shows a secret: %s", line.Text)
			}
		}
	}
}

// withCredentials builds an image with a file of secrets.
func (r *rig) withCredentials(text string, more ...initramfs.File) image {
	r.t.Helper()
	k, err := virtio.find()
	if err != nil {
		r.t.Fatal(err)
	}
	files := append(more, initramfs.File{Path: "/etc/iscsiroot/credentials", Data: []byte(text), Mode: 0o600})
	out := filepath.Join(r.t.TempDir(), "initrd")
	_, err = initramfs.Build(r.ctx, initramfs.Config{
		Root: k.ModulesRoot, KernelVersion: k.Release, InitPath: built.init(), FileSystems: []string{"ext4"}, NICs: []string{"virtio_net"}, Files: files,
		Compression: initramfs.None,
	}, out)
	if err != nil {
		r.t.Fatal(err)
	}
	return image{path: out}
}
