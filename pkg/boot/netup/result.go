package netup

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// Result is the network that is up: what the later stages get.
type Result struct {
	*network.Network
	Facts bootspec.NetFacts // of it, by which the Plan became Spec
	Spec  bootspec.Spec
}

// Dark lists the NICs of this machine's addresses if none of them has carrier.
func (r Result) Dark() []network.Link {
	var out []network.Link
	for _, l := range r.Leases() {
		if Attribute(l.Interface, "carrier") != "0" {
			return nil
		}
		out = append(out, network.Link{Name: l.Interface})
	}
	return out
}

// Attribute is what sysfs shows of a network interface, "" if it does not.
func Attribute(nic, name string) string { return readWord("/sys/class/net/"+nic, name) }

func readWord(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
