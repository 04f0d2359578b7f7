package targets

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

func TestMain(m *testing.M) {
	Main()
	nstest.Main(m)
}

const hostAddress = "10.77.0.1"

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// testNamespace has tap0 with hostAddress.
func testNamespace(t *testing.T) (*lab.Namespace, *lab.Tap) {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	tap, err := ns.AddTap("tap0", netip.MustParsePrefix(hostAddress+"/24"), netip.MustParsePrefix("fd77::1/64"))
	if err != nil {
		t.Fatal(err)
	}
	return ns, tap
}
