package netup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// explainNoNIC adds which pieces of network hardware have no driver, or what to look at if none is
// found; buses is /sys/bus.
func explainNoNIC(err error, buses string) error {
	var waited *network.WaitError
	if !errors.As(err, &waited) || len(waited.State.Links) > 0 || len(waited.State.Loading) > 0 {
		return err
	}
	if cards := unclaimed(buses); len(cards) > 0 {
		return sequence.WithHint(err, "the image has no driver for "+strings.Join(cards, ", "))
	}
	if len(waited.State.Other) > 0 || len(waited.State.Busy) > 0 {
		return err
	}
	return sequence.WithHint(err, "no NIC was found that lacks a driver: check in the firmware's setup that it is enabled, and the kernel's "+
		"messages about its driver (dmesg); an image that is built without --nic has all of them")
}

// virtualNICs are the network devices of hypervisors, by bus and the beginning of the modalias, and
// what --nic names their driver by. The PCI function below a virtio device has a driver of its own.
var virtualNICs = [...]struct{ bus, modalias, driver string }{
	{"virtio", "virtio:d00000001v", "virtio_net"},                    // include/uapi/linux/virtio_ids.h
	{"vmbus", "vmbus:635161f83edfc546913ff2d2f965ed0e", "hv_netvsc"}, // include/linux/hyperv.h: HV_NIC_GUID
	{"xen", "xen:vif", "xen_netfront"},                               // drivers/net/xen-netfront.c
}

// unclaimed lists network devices without a driver, each with what iscsiroot build --nic takes for
// it, as "0000:00:03.0 (pci 8086:100e)" and "virtio0 (virtio_net)".
func unclaimed(buses string) []string {
	var out []string
	for _, dev := range withoutDriver(filepath.Join(buses, "pci/devices")) {
		// PCI base class 0x02 is a network controller (include/linux/pci_ids.h:
		// PCI_BASE_CLASS_NETWORK).
		if strings.HasPrefix(readWord(dev, "class"), "0x02") {
			id := strings.TrimPrefix(readWord(dev, "vendor"), "0x") + ":" + strings.TrimPrefix(readWord(dev, "device"), "0x")
			out = append(out, filepath.Base(dev)+" (pci "+id+")")
		}
	}
	for _, nic := range virtualNICs {
		for _, dev := range withoutDriver(filepath.Join(buses, nic.bus, "devices")) {
			if strings.HasPrefix(readWord(dev, "modalias"), nic.modalias) {
				out = append(out, filepath.Base(dev)+" ("+nic.driver+")")
			}
		}
	}
	return out
}

// withoutDriver lists the devices of a bus that have no driver.
func withoutDriver(dir string) []string {
	entries, _ := os.ReadDir(dir) // a bus that is not there has none
	var out []string
	for _, e := range entries {
		dev := filepath.Join(dir, e.Name())
		if _, err := os.Lstat(filepath.Join(dev, "driver")); err != nil {
			out = append(out, dev)
		}
	}
	return out
}
