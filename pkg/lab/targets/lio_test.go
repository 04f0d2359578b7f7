package targets

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// lioGuest builds the program of the target's machine.
func lioGuest(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "lioguest")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "../../internal/lioguest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build lioguest: %v\n%s", err, text)
	}
	return out
}

// TestLIO boots the target and checks it: names, digests, declared keys, every portal.
func TestLIO(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	bridge, err := ns.AddBridge("br0", netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64"))
	if err != nil {
		t.Fatal(err)
	}
	tap, err := bridge.AddTap("lio0")
	if err != nil {
		t.Fatal(err)
	}
	first := Config{
		Name: "iqn.2007-01.com.example:lio1", LUNs: map[int]string{0: testImage(t)}, Initiators: []string{labInitiator},
		Portal: netip.MustParseAddrPort("10.77.0.10:3260"), Portals: []netip.AddrPort{netip.MustParseAddrPort("[fd77::10]:3260")},
		HeaderDigest: "CRC32C", MaxRecvDataSegmentLength: 4096,
	}
	second := first
	second.Name, second.HeaderDigest, second.CHAP = "iqn.2007-01.com.example:lio2", "", labCHAP
	plain := first
	plain.Name, plain.HeaderDigest = "iqn.2007-01.com.example:lio3", ""
	grouped := second
	grouped.Name, grouped.Grouped = "iqn.2007-01.com.example:lio4", true
	l, err := StartLIO(ctx, ns, LIOConfig{
		Init: lioGuest(t), NICs: []LIONIC{{Tap: tap, Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.10/24"), netip.MustParsePrefix("fd77::10/64")}}},
		Targets: []Config{first, second, grouped, plain}, DiscoveryCHAP: labCHAP,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.Output())
		}
	})
	if l.Target(1).Name() != second.Name || l.Target(0).Addr() != first.Portal {
		t.Errorf("target %s at %v", l.Target(1).Name(), l.Target(0).Addr())
	}
	for _, portal := range first.portals() {
		checkStrict(ctx, t, ns, portal, first.Name, true)
	}
	checkRefused(ctx, t, ns, first.Portal, 0x0201, iscsi.LoginConfig{TargetName: second.Name})
	checkCHAP(ctx, t, ns, second, iscsi.Algorithms()...)
	checkDiscovery(ctx, t, ns, second, 4, 2, iscsi.SHA3_256)
	checkDiscovery(ctx, t, ns, grouped, 4, 2, iscsi.SHA3_256)
	for group, state := range []Access{NonOptimized, Standby} {
		if err := l.SetAccess(ctx, first.LUNs[0], group+1, state); err != nil {
			t.Error(err)
		}
	}
	checkRefused(ctx, t, ns, first.Portal, 0x0202, iscsi.LoginConfig{TargetName: first.Name, InitiatorName: labInitiator + "2"})
	checkRefused(ctx, t, ns, first.Portal, 0x0301, iscsi.LoginConfig{TargetName: first.Name + "2"})
	checkReinstates(ctx, t, ns, l, plain)
	if err := l.Target(0).Stop(); err != nil {
		t.Error(err)
	}
}

// checkReinstates: LIO ends the old session of a name and ISID with a security stage and without.
// The last target is the plain one.
func checkReinstates(ctx context.Context, t *testing.T, ns *lab.Namespace, l *LIO, plain Config) {
	t.Helper()
	for _, security := range []bool{false, true} {
		if !twice(ctx, t, ns, plain, security) {
			t.Errorf("lio, security stage %v: the old session lives on", security)
		}
	}
	noneLeft(ctx, t, "lio", func() (int, error) { return l.Sessions(ctx, len(l.config.Targets)-1) })
}
