package netup

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// Result is the network that is up, for the later stages.
type Result struct {
	*network.Network
	Facts bootspec.NetFacts // of the network: Spec is the Plan with them
	Spec  bootspec.Spec
}

// NoCarrier lists the NICs of this machine's addresses if none of them has carrier.
func (r Result) NoCarrier() []network.Link {
	var out []network.Link
	for _, l := range r.Leases() {
		if Attribute(l.Interface, "carrier") != "0" {
			return nil
		}
		out = append(out, network.Link{Name: l.Interface})
	}
	return out
}

// Attribute returns an attribute of a network interface in sysfs, "" if there is none.
func Attribute(nic, name string) string { return readWord("/sys/class/net/"+nic, name) }

// MAC returns that of a network interface, "" if there is none.
func MAC(nic string) string { return Attribute(nic, "address") }

func readWord(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
