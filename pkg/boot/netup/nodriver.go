package netup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// explainNoNIC adds which pieces of network hardware have no driver.
func explainNoNIC(err error) error {
	var waited *network.WaitError
	if !errors.As(err, &waited) || len(waited.State.Links) > 0 || len(waited.State.Loading) > 0 {
		return err
	}
	if cards := unclaimed("/sys/bus/pci/devices"); len(cards) > 0 {
		return sequence.WithHint(err, "the image has no driver for "+strings.Join(cards, ", "))
	}
	return err
}

// unclaimed lists PCI network controllers without a driver, as "0000:00:03.0 (pci 8086:100e)".
func unclaimed(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		dev := filepath.Join(dir, e.Name())
		// PCI base class 0x02 is a network controller (include/linux/pci_ids.h:
		// PCI_BASE_CLASS_NETWORK).
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
