package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// bringUpNetwork waits for a NIC and its link and gives it its address.
func (m *Machine) bringUpNetwork(ctx context.Context) error {
	leases, err := network.Up(ctx, network.Config{
		Net:         m.Plan.Net,
		SysClassNet: "/sys/class/net",
		Report:      func(s network.State) { m.Log.Debugf("%v", s) },
	})
	if err != nil {
		return explainNoNIC(err)
	}
	facts := bootspec.LeaseFacts(leases[0])
	spec, warnings, err := m.Plan.Resolve(facts)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		m.Log.Warnf("%s", w)
	}
	m.got, m.facts, m.spec = leases, facts, spec
	m.networkUp.Store(true)
	m.Log.Infof("network: %s is up with %s", facts.Interface, facts.Address)
	return nil
}

// leases returns a lease for each address that this machine has by now, that of
// the boot first.
func (m *Machine) leases() []dhcp.Lease { return m.got }

// explainNoNIC adds which pieces of network hardware have no driver.
func explainNoNIC(err error) error {
	var waited *network.WaitError
	if !errors.As(err, &waited) || len(waited.State.Links) > 0 {
		return err
	}
	if cards := unclaimed("/sys/bus/pci/devices"); len(cards) > 0 {
		return withHint(err, "the image has no driver for "+strings.Join(cards, ", "))
	}
	return err
}

// unclaimed lists PCI network controllers without a driver, as
// "0000:00:03.0 (pci 8086:100e)".
func unclaimed(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		dev := filepath.Join(dir, e.Name())
		// PCI base class 0x02 is a network controller
		// (include/linux/pci_ids.h: PCI_BASE_CLASS_NETWORK).
		if !strings.HasPrefix(readWord(dev, "class"), "0x02") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dev, "driver")); err == nil {
			continue
		}
		id := strings.TrimPrefix(readWord(dev, "vendor"), "0x") + ":" + strings.TrimPrefix(readWord(dev, "device"), "0x")
		out = append(out, e.Name()+" (pci "+id+")")
	}
	return out
}

func readWord(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
