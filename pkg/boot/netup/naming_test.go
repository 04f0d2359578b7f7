package netup

import (
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// The servers of a NIC that is dropped are removed, and a file of the image stays.
func TestName(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNS|unix.CLONE_NEWUTS, func() {
		if err := unix.Mount("test", "/etc", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		const path = "/etc/resolv.conf"
		first := dhcp.Lease{Interface: "a0", Domain: "a.example", Search: []string{"b.example"}, DNS: []netip.Addr{netip.MustParseAddr("10.2.0.53")}}
		second := dhcp.Lease{Interface: "b0", Domain: "a.example", Search: []string{"c.example", "b.example"}, DNS: first.DNS}
		third := dhcp.Lease{Interface: "c0"}
		s := New(Config{Log: &steptest.Recorder{}, Plan: &bootspec.Plan{}})
		s.Name([]dhcp.Lease{third})
		if _, err := os.Stat(path); err == nil {
			t.Error("a file with nothing to write")
		}
		s.Name([]dhcp.Lease{first, second, third})
		if b, err := os.ReadFile(path); string(b) != "search a.example b.example c.example\nnameserver 10.2.0.53\n" {
			t.Errorf("%q, %v", b, err)
		}
		s.Name([]dhcp.Lease{third})
		if b, err := os.ReadFile(path); err != nil || len(b) > 0 {
			t.Errorf("left %q, %v", b, err)
		}
		if err := os.WriteFile(path, []byte("of the image"), 0o644); err != nil {
			t.Fatal(err)
		}
		New(s.Config).Name([]dhcp.Lease{first})
		if b, err := os.ReadFile(path); string(b) != "of the image" {
			t.Errorf("%q, %v", b, err)
		}
	})
}
