//go:build linux

package trial

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// models are QEMU's cards by the drivers that Debian's kernel has for them, best first.
var models = []struct{ driver, model string }{
	{"virtio_net", "virtio-net-pci"},
	{"e1000", "e1000"},
	{"e1000e", "e1000e"},
	{"vmxnet3", "vmxnet3"},
	{"8139cp", "rtl8139"},
	{"pcnet32", "pcnet"},
	{"e100", "i82557b"},
}

// machine describes the machine: a PC that boots from its card, by EFI if its loader is one for
// EFI.
func (b *bench) machine() (lab.MachineConfig, error) {
	efi := b.Room.BootLoader().EFI
	model, err := b.model(efi)
	if err != nil {
		return lab.MachineConfig{}, err
	}
	return lab.MachineConfig{
		UEFI:      efi,
		MemoryMiB: b.MemoryMiB,
		NICs:      []lab.NIC{{Model: model, MAC: b.host.MAC, Tap: b.tap}},
		Args:      []string{"-boot", "n"},
	}, nil
}

// model returns the card.
func (b *bench) model(efi bool) (string, error) {
	if b.NIC != "" {
		return b.NIC, nil
	}
	image := filepath.Join(b.Dir, "tftp", b.host.Initrd)
	tree, err := initramfs.Open(image, archive.DefaultLimits)
	if err != nil {
		return "", err
	}
	have := map[string]bool{}
	for _, name := range tree.Names() {
		if module, _, ok := strings.Cut(path.Base(name), ".ko"); ok {
			have[strings.ReplaceAll(module, "-", "_")] = true
		}
	}
	for _, m := range models {
		if have[m.driver] && (!efi || m.driver == "virtio_net") {
			return m.model, nil
		}
	}
	if efi {
		return "", fmt.Errorf("%s: it has no driver virtio_net, and the firmware here boots from no other card: name one with --nic if the kernel has the driver built in", image)
	}
	return "", fmt.Errorf("%s: it has no driver of a card that QEMU has: name one with --nic if the kernel has it built in", image)
}
