package targets

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

func testImage(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8<<20); err != nil {
		t.Fatal(err)
	}
	return path
}

// listeners are the addresses in state LISTEN (0A) of this thread's namespace.
func listeners(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 3 && f[3] == "0A" {
				out = append(out, f[1])
			}
		}
	}
	slices.Sort(out)
	return out
}

func starters(ns *lab.Namespace) map[string]func(context.Context, Config) (Target, error) {
	return map[string]func(context.Context, Config) (Target, error){
		"gotgt": func(ctx context.Context, c Config) (Target, error) { return StartGotgt(ctx, ns, c) },
		"tgtd":  func(ctx context.Context, c Config) (Target, error) { return StartTgtd(ctx, ns, c) },
	}
}

// TestTargets starts each kind twice at once, and again on the port it left.
func TestTargets(t *testing.T) {
	ns, _ := testNamespace(t)
	for kind, start := range starters(ns) {
		t.Run(kind, func(t *testing.T) {
			ctx := testContext(t)
			host := netip.MustParseAddr(hostAddress)
			c := Config{Name: "iqn.2007-01.com.example:a", Portal: netip.AddrPortFrom(host, 3260), LUNs: map[int]string{1: testImage(t)}}
			second := c
			second.Portal = netip.AddrPortFrom(host, 3261)
			for _, c := range []Config{c, second, c} {
				target, err := start(ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				if target.Addr() != c.Portal || target.Name() != c.Name {
					t.Errorf("%s at %v", target.Name(), target.Addr())
				}
				if c.Portal.Port() == 3260 {
					checkStop(t, ns, target)
				} else {
					t.Cleanup(func() { _ = target.Stop() })
				}
			}
		})
	}
}

// dial connects from inside the namespace and closes the connection.
func dial(ns *lab.Namespace, addr netip.AddrPort) error {
	return ns.Do(func() error {
		conn, err := net.DialTimeout("tcp", addr.String(), time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func checkStop(t *testing.T, ns *lab.Namespace, target Target) {
	t.Helper()
	if err := dial(ns, target.Addr()); err != nil {
		t.Error(err)
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := dial(ns, target.Addr()); err == nil {
		t.Error("the portal answers after Stop")
	}
}

// TestNothingListensOutside: gotgt listens on every address of its namespace, which must not be
// this machine's.
func TestNothingListensOutside(t *testing.T) {
	before := listeners(t)
	ns, _ := testNamespace(t)
	c := Config{
		Name: "iqn.2007-01.com.example:a", LUNs: map[int]string{1: testImage(t)},
		Portal: netip.MustParseAddrPort(hostAddress + ":3260"),
	}
	if _, err := StartGotgt(testContext(t), ns, c); err != nil {
		t.Fatal(err)
	}
	var inside []string
	if err := ns.Do(func() error { inside = listeners(t); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(inside, func(s string) bool { return strings.HasSuffix(s, ":0CBC") }) {
		t.Errorf("inside the namespace nothing listens on port 3260: %v", inside)
	}
	for _, l := range listeners(t) {
		if !slices.Contains(before, l) && strings.HasSuffix(l, ":0CBC") {
			t.Errorf("%s listens outside the namespace", l)
		}
	}
}

func TestTargetRefuses(t *testing.T) {
	ns, _ := testNamespace(t)
	portal := netip.MustParseAddrPort(hostAddress + ":3260")
	image := map[int]string{1: testImage(t)}
	for _, test := range []struct {
		kind, want string
		config     Config
	}{
		{"gotgt", "no target name", Config{Portal: portal, LUNs: image}},
		{"gotgt", "no portal", Config{Name: "iqn.a", LUNs: image}},
		{"tgtd", "no LUN", Config{Name: "iqn.a", Portal: portal}},
		{"gotgt", "use tgtd", Config{Name: "iqn.a", Portal: portal, LUNs: image, Initiators: []string{"iqn.b"}}},
		{"gotgt", "use tgtd", Config{Name: "iqn.a", Portal: portal, LUNs: image, HeaderDigest: "CRC32C"}},
		{"tgtd", "no portal", Config{Name: "iqn.a", Portal: portal, Portals: make([]netip.AddrPort, 1), LUNs: image}},
		{"tgtd", "without a name", Config{Name: "iqn.a", Portal: portal, LUNs: image, CHAP: CHAP{Secret: "made up"}}},
		{"tgtd", "only to initiators", Config{Name: "iqn.a", Portal: portal, LUNs: image, CHAP: CHAP{MutualUser: "a", MutualSecret: "b"}}},
		{"gotgt", "ended by itself", Config{Name: "iqn.a", Portal: portal, LUNs: map[int]string{1: "/nonexistent"}}},
		{"tgtd", "begin at LUN 1", Config{Name: "iqn.a", Portal: portal, LUNs: map[int]string{0: image[1]}}},
		{"tgtd", "tgtadm", Config{Name: "iqn.a", Portal: portal, LUNs: map[int]string{1: "/nonexistent"}}},
	} {
		_, err := starters(ns)[test.kind](testContext(t), test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %+v: %v, want %q", test.kind, test.config, err, test.want)
		}
	}
}
