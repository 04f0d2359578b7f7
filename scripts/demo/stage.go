package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

const (
	initiatorName = "iqn.2007-01.com.example:server.remote1"
	targetName    = "iqn.2007-01.com.example:storage.remote1"
	guestAddress  = "10.77.0.2/255.255.255.0"
	hostAddress   = "10.77.0.1"
	commandLine   = "iscsi_i=" + initiatorName + " iscsi_i_ip=" + guestAddress +
		" iscsi_t=" + targetName + " iscsi_a=" + hostAddress + " rw console=ttyS0"
	// rootPartition is the HOWTO's: root is sda2, and there is no root=.
	rootPartition = 2
)

// stage is everything but the running machine.
type stage struct {
	ns      *lab.Namespace
	disk    *images.Disk
	machine lab.MachineConfig
}

// prepare makes the image, the disk, the wire and the target.
func prepare(ctx context.Context, ns *lab.Namespace, o options) (*stage, error) {
	if _, err := os.Stat(o.init); err != nil {
		return nil, fmt.Errorf("%w; run make first", err)
	}
	kernel, err := deps.FindKernel(o.kernel)
	if err != nil {
		return nil, err
	}
	initrd := filepath.Join(ns.Dir(), "initramfs")
	begin := time.Now()
	image, err := initramfs.Build(ctx, initramfs.Config{Root: kernel.ModulesRoot, KernelVersion: kernel.Release, InitPath: o.init}, initrd)
	if err != nil {
		return nil, err
	}
	say("initramfs for %s: %d modules, %.1f MiB, built in %.1f s", image.Kernel, image.Modules, float64(image.Bytes)/(1<<20), time.Since(begin).Seconds())
	disk, err := makeDisk(filepath.Join(ns.Dir(), "disk"))
	if err != nil {
		return nil, err
	}
	tap, err := ns.AddTap("tap0", netip.MustParsePrefix(hostAddress+"/24"))
	if err != nil {
		return nil, err
	}
	portal := netip.AddrPortFrom(netip.MustParseAddr(hostAddress), 3260)
	if _, err := targets.StartGotgt(ctx, ns, targets.Config{Name: targetName, Portal: portal, LUNs: map[int]string{0: disk.Path}}); err != nil {
		return nil, err
	}
	say("iSCSI target %s at %s", targetName, portal)
	return &stage{ns: ns, disk: disk, machine: lab.MachineConfig{
		Kernel: kernel.Image, Initrd: initrd, Append: commandLine, CPUs: 2, NICs: []lab.NIC{{Tap: tap}},
	}}, nil
}

// makeDisk makes a disk as the HOWTO has it: something small first, then root on ext3.
func makeDisk(path string) (*images.Disk, error) {
	root, err := images.BusyboxRoot()
	if err != nil {
		return nil, err
	}
	disk, err := images.WriteDisk(path,
		images.Filesystem{Type: "ext2", MiB: 8, Label: "boot"},
		images.Filesystem{Type: "ext3", MiB: 64, Label: "root", Tree: root})
	if err != nil {
		return nil, err
	}
	say("disk with busybox on an ext3 file system in partition %d", rootPartition)
	return disk, nil
}
