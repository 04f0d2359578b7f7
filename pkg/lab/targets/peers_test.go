package targets

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/discovery"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

const labInitiator = "iqn.2007-01.com.example:lab"

// labCHAP is made up.
var labCHAP = CHAP{User: "machine", Secret: "twelve bytes and more", MutualUser: "storage", MutualSecret: "other twelve bytes"}

// dialPortal connects from inside the namespace.
func dialPortal(t *testing.T, ns *lab.Namespace, portal netip.AddrPort) net.Conn {
	t.Helper()
	var conn net.Conn
	err := ns.Do(func() (err error) {
		conn, err = net.Dial("tcp", portal.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func login(ctx context.Context, t *testing.T, ns *lab.Namespace, portal netip.AddrPort, c iscsi.LoginConfig) (iscsi.Result, error) {
	t.Helper()
	conn := dialPortal(t, ns, portal)
	defer conn.Close()
	if c.InitiatorName == "" {
		c.InitiatorName = labInitiator
	}
	c.ISID = [6]byte{0, 2, 0x3d, 0, 0, 1}
	return iscsi.Login(ctx, iscsi.NewTCPPipe(conn), c)
}

func credentialsOf(c CHAP) *iscsi.CHAP {
	return &iscsi.CHAP{
		User: c.User, Secret: iscsi.NewSecret([]byte(c.Secret)), TargetUser: c.MutualUser, TargetSecret: iscsi.NewSecret([]byte(c.MutualSecret)),
	}
}

// checkCHAP logs in with each of the target's algorithms, and with wrong secrets on either side.
func checkCHAP(ctx context.Context, t *testing.T, ns *lab.Namespace, target Config, algorithms ...iscsi.Algorithm) {
	t.Helper()
	for _, a := range algorithms {
		c := iscsi.LoginConfig{TargetName: target.Name, CHAP: credentialsOf(labCHAP)}
		c.CHAP.Algorithms = []iscsi.Algorithm{a}
		if res, err := login(ctx, t, ns, target.Portal, c); err != nil || res.Algorithm != a || !res.Mutual {
			t.Errorf("%s, CHAP with %v: %v, mutual %v, %v", target.Name, a, res.Algorithm, res.Mutual, err)
		}
	}
	c := iscsi.LoginConfig{TargetName: target.Name, CHAP: credentialsOf(labCHAP)}
	c.CHAP.Algorithms = algorithms[:1]
	c.CHAP.Secret = iscsi.NewSecret([]byte("none of the secrets"))
	checkRefused(ctx, t, ns, target.Portal, 0x0201, c)
	c.CHAP = credentialsOf(labCHAP)
	c.CHAP.Algorithms = algorithms[:1]
	c.CHAP.TargetSecret = iscsi.NewSecret([]byte("none of the secrets"))
	var auth *iscsi.AuthError
	if _, err := login(ctx, t, ns, target.Portal, c); !errors.As(err, &auth) || auth.Reason != iscsi.AuthTargetResponse {
		t.Errorf("%s, a target with another secret: %v", target.Name, err)
	}
}

// checkDiscovery discovers n targets; the given one has to be among them with its portals: LIO
// returns all, tgtd the one of the connection.
func checkDiscovery(ctx context.Context, t *testing.T, ns *lab.Namespace, target Config, n, portals int, a iscsi.Algorithm) {
	t.Helper()
	at := bootspec.Portal{Host: target.Portal.Addr().String(), Port: target.Portal.Port()}
	c := discovery.Config{
		Initiator: labInitiator, CHAP: credentialsOf(labCHAP), Timeout: time.Minute,
		Dial: func(context.Context, string, string) (net.Conn, error) { return dialPortal(t, ns, target.Portal), nil },
	}
	c.CHAP.Algorithms = []iscsi.Algorithm{a}
	answer, err := discovery.Discover(ctx, at, c)
	if err != nil || len(answer.Targets) != n {
		t.Errorf("%s: discovered %+v, %v; want %d targets", target.Name, answer, err, n)
	}
	for _, f := range answer.Targets {
		if f.Name == target.Name && len(f.Addresses) != portals {
			t.Errorf("discovered %+v, want %d portals", f, portals)
		}
	}
	c.CHAP.Secret = iscsi.NewSecret([]byte("none of the secrets"))
	var status *iscsi.StatusError
	if _, err := discovery.Discover(ctx, at, c); !errors.As(err, &status) {
		t.Errorf("%s: discovery with a wrong secret: %v", target.Name, err)
	}
}

// checkStrict logs in with a header digest, and without, which a target that requires it refuses.
func checkStrict(ctx context.Context, t *testing.T, ns *lab.Namespace, portal netip.AddrPort, name string, required bool) {
	t.Helper()
	c := iscsi.LoginConfig{TargetName: name, Offer: iscsi.DefaultOffer()}
	c.Offer.HeaderDigest = iscsi.PreferDigest
	res, err := login(ctx, t, ns, portal, c)
	if err != nil || !res.Params.HeaderDigest || res.Params.DataDigest || res.Params.MaxXmitDataSegmentLength != 4096 {
		t.Errorf("%v: %+v %v, want a header digest and segments of 4096 bytes", portal, res.Params, err)
	}
	c.Offer.HeaderDigest = iscsi.NoDigest
	if _, err := login(ctx, t, ns, portal, c); (err != nil) != required {
		t.Errorf("%v: login without a digest: %v", portal, err)
	}
}

func checkRefused(ctx context.Context, t *testing.T, ns *lab.Namespace, portal netip.AddrPort, code iscsi.Status, c iscsi.LoginConfig) {
	t.Helper()
	var status *iscsi.StatusError
	if _, err := login(ctx, t, ns, portal, c); !errors.As(err, &status) || status.Code() != code {
		t.Errorf("%+v: %v, want status %04x", c, err, code)
	}
}

// TestTgtdFeatures checks the effect of the configuration on tgtd.
func TestTgtdFeatures(t *testing.T) {
	ns, _ := testNamespace(t)
	ctx := testContext(t)
	c := Config{
		Name: "iqn.2007-01.com.example:tgtd", LUNs: map[int]string{1: testImage(t), 300: testImage(t)}, Initiators: []string{labInitiator},
		Portal: netip.MustParseAddrPort(hostAddress + ":3260"), Portals: []netip.AddrPort{netip.MustParseAddrPort("[fd77::1]:3260")},
		HeaderDigest: "CRC32C", MaxRecvDataSegmentLength: 4096,
	}
	strict, err := StartTgtd(ctx, ns, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, portal := range c.portals() {
		checkStrict(ctx, t, ns, portal, c.Name, false) // tgtd accepts None with any setting
	}
	checkRefused(ctx, t, ns, c.Portal, 0x0203, iscsi.LoginConfig{TargetName: c.Name, InitiatorName: labInitiator + "2"})
	if err := strict.Stop(); err != nil {
		t.Fatal(err)
	}
	c.HeaderDigest, c.CHAP, c.DiscoveryCHAP = "", labCHAP, labCHAP
	if _, err := StartTgtd(ctx, ns, c); err != nil {
		t.Fatal(err)
	}
	checkRefused(ctx, t, ns, c.Portal, 0x0201, iscsi.LoginConfig{TargetName: c.Name})
	checkCHAP(ctx, t, ns, c, iscsi.MD5)
	checkDiscovery(ctx, t, ns, c, 1, 1, iscsi.MD5)
	var again *iscsi.AlgorithmsError // tgtd uses 7 for SHA1; it is SHA-256's number
	if _, err := login(ctx, t, ns, c.Portal, iscsi.LoginConfig{TargetName: c.Name, CHAP: credentialsOf(labCHAP)}); !errors.As(err, &again) {
		t.Errorf("all algorithms: %v", err)
	}
}

// TestTgtdRedirects checks both kinds of redirect.
func TestTgtdRedirects(t *testing.T) {
	ns, _ := testNamespace(t)
	ctx := testContext(t)
	for _, permanent := range []bool{false, true} {
		c := Config{
			Name: "iqn.2007-01.com.example:tgtd", LUNs: map[int]string{1: testImage(t)}, Portal: netip.MustParseAddrPort(hostAddress + ":3260"),
			Redirect: &Redirect{To: netip.MustParseAddrPort("[fd77::1]:3261"), Permanent: permanent},
		}
		target, err := StartTgtd(ctx, ns, c)
		if err != nil {
			t.Fatal(err)
		}
		var status *iscsi.StatusError
		_, err = login(ctx, t, ns, c.Portal, iscsi.LoginConfig{TargetName: c.Name, SecurityStage: true})
		if !errors.As(err, &status) {
			t.Fatal(err)
		}
		if addr, isPermanent, ok := status.Redirect(); !ok || isPermanent != permanent || addr.Host != "fd77::1" || addr.Port != 3261 {
			t.Errorf("permanent %v: %v %+v", permanent, err, status)
		}
		if err := target.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
