package integration

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The HOWTO's command line and nothing else boots ext3 on partition 2
// read-only.
func TestSeedFromGotgt(t *testing.T) {
	r := newRig(t)
	r.makeDisk(lab.Filesystem{Type: "ext3", MiB: 32, Tree: root("log")})
	r.gotgt()
	m := r.boot(virtio, "", "console=ttyS0 "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext3 ro,")
	r.off(m)
	checkSeed(t, m.Output())
}

func checkSeed(t *testing.T, out string) {
	t.Helper()
	for _, want := range []string{
		"guest: session: targetname=" + targetName,
		"guest: session: initiatorname=" + initiator,
		"guest: session: state=LOGGED_IN",
		"guest: session: recovery_tmo=86400",
		"guest: session: ping_tmo=30",
		"guest: session: recv_tmo=15",
		"guest: session: persistent_address=10.77.0.1",
		"guest: session: persistent_port=3260",
		"guest: session: ifacename=default",
		"guest: session: tpgt=1",
		"guest: panic: 0",
		"guest: log: ",
		" 0 notes of dropped lines",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the console does not show %q", want)
		}
	}
}
