package integration

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// lioGuest is the program of the target's machine.
var lioGuest = sync.OnceValues(func() (string, error) {
	out := filepath.Join(built.dir, "lioguest")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "../pkg/internal/lioguest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return out, cmd.Run()
})

const (
	lioName  = "iqn.2007-01.com.example:lio.strict"
	lioPlain = "iqn.2007-01.com.example:lio.plain"
)

// startLIO starts a machine with two targets for the same disk: one that requires mutual CHAP,
// digests and small segments, and one without authentication and with LIO's default list of
// digests, which has CRC32C first; there the disk is LUN 300 beside a smaller one.
func (r peerRig) startLIO(kernel string) *targets.LIO {
	r.t.Helper()
	guest, err := lioGuest()
	if err != nil {
		r.t.Fatal(err)
	}
	tap, err := r.bridge.AddTap("lio0")
	if err != nil {
		r.t.Fatal(err)
	}
	strict := targets.Config{
		Name: lioName, Portal: netip.MustParseAddrPort("10.77.0.10:3260"), Portals: []netip.AddrPort{netip.MustParseAddrPort("[fd77::10]:3260")},
		LUNs: map[int]string{0: r.disk.Path}, Initiators: []string{initiator}, CHAP: mutual,
		HeaderDigest: "CRC32C", DataDigest: "CRC32C", MaxRecvDataSegmentLength: 4096,
	}
	plain := strict
	plain.Name, plain.CHAP, plain.HeaderDigest, plain.DataDigest = lioPlain, targets.CHAP{}, "CRC32C,None", "CRC32C,None"
	plain.LUNs = map[int]string{0: blank(r.t, 4), 300: r.disk.Path}
	target, err := targets.StartLIO(r.ctx, r.ns, targets.LIOConfig{
		Kernel: kernel, Init: guest,
		NICs:    []targets.LIONIC{{Tap: tap, Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.10/24"), netip.MustParsePrefix("fd77::10/64")}}},
		Targets: []targets.Config{strict, plain},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	times.watch(r.t, target.Machine)
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("the target's console:\n%s", target.Output())
		}
	})
	return target
}

const digestLine = "iscsi_header_digest=prefer iscsi_data_digest=require "

// LIO with its strictest settings, and logins with each wrong credential or name; after any loss of
// the connection one session is left.
func TestLIO(t *testing.T) { lioBoots(t, "amd64") }

func lioBoots(t *testing.T, kernel string) {
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 160, Tree: dataTree(write() + " log")})
	target := r.startLIO(kernel)
	r.newInitiatorRig(target.Target(1), func() (int, error) { return target.Sessions(r.ctx, 1) }).checkOneSession()
	at := machineLine + "iscsi_t=" + lioName + " iscsi_a=10.77.0.10 "
	for _, c := range []struct{ line, shown string }{
		{at + digestLine + strings.Replace(mutualLine, "quiet-otter-lantern", "some-other-secret", 1), "refused (0201)"},
		{at + digestLine + strings.Replace(mutualLine, "amber-violin-glacier", "some-other-secret", 1), "authentication: target's CHAP response is wrong"},
		{strings.Replace(at, "server.remote1", "server.remote2", 1) + digestLine + mutualLine, "refused (0202)"},
	} {
		r.bootToFailure(c.line, c.shown)
	}
	v6 := strings.NewReplacer("iscsi_i_ip=10.77.0.2/24", "iscsi_i_ip=fd77::2/64", "iscsi_a=10.77.0.10", "iscsi_a=[fd77::10]", lioName, lioPlain)
	r.bootToNoDisk(v6.Replace(at)+"iscsi_lun=5", "no disk at lun 5: lun 0 is a disk of 4 MiB, lun 012c-0000-0000-0000 is a disk of ")
	r.bootToRoot(virtio, v6.Replace(at)+"iscsi_lun=300 ro", "disk sda is lun 012c-0000-0000-0000 of "+lioPlain, "guest: session: header_digest=0", "guest: session: data_digest=0", "guest: session: max_xmit_dlength=4096")
	// No machine has the first address; the login is at the second, without waiting for the
	// first. No parameter requests digests.
	at = strings.Replace(at, "iscsi_a=", "iscsi_a=10.77.0.11,", 1)
	r.bootToRoot(virtio, at+mutualLine+"rw", "guest: session: header_digest=1", "guest: session: data_digest=1", "guest: session: max_xmit_dlength=4096")
	checkWritten(r.rig, target.Target(0))
}
