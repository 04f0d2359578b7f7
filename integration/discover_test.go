package integration

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// iscsiroot discover shows the targets of tgtd, with mutual CHAP, and of gotgt, which accepts a
// discovery session only without a security stage. Each has a portal of its own.
func TestDiscover(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	c := targets.Config{Name: targetName, Portal: netip.MustParseAddrPort("10.77.0.1:3260"), LUNs: map[int]string{1: r.disk.Path}, DiscoveryCHAP: mutual}
	if _, err := targets.StartTgtd(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	c.Portal, c.DiscoveryCHAP = netip.MustParseAddrPort("10.77.0.1:3261"), targets.CHAP{}
	if _, err := targets.StartGotgt(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	line := strings.Join([]string{"discovery", mutual.User, mutual.Secret, mutual.MutualUser, mutual.MutualSecret}, " ")
	if err := os.WriteFile(secrets, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const tgtd, gotgt = "10.77.0.1", "10.77.0.1:3261"
	shown := func(at, group string) string {
		return at + ": targets for " + initiator + "\n  " + targetName + "\n    " + at + ", portal group " + group + "\n"
	}
	for _, c := range []struct {
		args []string
		want string
		err  bool
	}{
		{[]string{"--credentials", secrets, tgtd}, shown(tgtd+":3260", "1"), false},
		{[]string{tgtd, gotgt}, shown(gotgt, "1") + "iscsiroot: discover: login to " + tgtd + ":3260 refused (0201): authentication failed: wrong user or secret, or the target " +
			"requires authentication: correct user and secret in --credentials; without that option, the target requires CHAP\n", true},
	} {
		text, err := r.host(append([]string{"discover", "--initiator", initiator}, c.args...)...)
		if text != c.want || (err != nil) != c.err {
			t.Errorf("%q: %v\n%s", c.args, err, text)
		}
	}
}

// host runs the host tool in the namespace and returns its output and messages.
func (r *rig) host(args ...string) (string, error) {
	r.t.Helper()
	program, err := iscsiroot()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, program)
	}
	var out strings.Builder
	cmd := exec.CommandContext(r.ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := r.ns.StartCmd(cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	err = p.Wait(r.ctx)
	return out.String(), err
}
