package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

const (
	targetName = "iqn.2007-01.com.example:storage.remote1"
	// commandLine is the HOWTO's. quiet, so that the serial port delays no candidate; a panic
	// ends the machine. no_timer_check, because on a busy host an emulated timer is late, and
	// the kernel panics.
	commandLine = "iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_i_ip=10.77.0.2/255.255.255.0 iscsi_t=" + targetName +
		" iscsi_a=10.77.0.1 console=ttyS0 quiet panic=-1 no_timer_check"
)

// stage is what all boots share.
type stage struct {
	options
	dir    string
	disk   *images.Disk
	kernel deps.Kernel
	native map[string]string // compiled C, by name
	packed []byte            // init, as iscsiroot carries it
}

func newStage(ctx context.Context, o options) (*stage, error) {
	kernel, err := deps.FindKernel(o.kernel)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "iscsiroot-bench-")
	if err != nil {
		return nil, err
	}
	s := &stage{options: o, dir: dir, kernel: kernel}
	if s.native, err = compile(ctx, dir); err == nil {
		s.disk, err = s.makeDisk()
	}
	if err == nil {
		s.packed, err = initramfs.PackInit(ctx, o.init)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes what the stage has made.
func (s *stage) Close() error { return os.RemoveAll(s.dir) }

// machine starts a machine with a network and a target of its own in ns. After a machine is
// switched off, the host would go on sending to it and asking for its Ethernet address once a
// second, and the next machine's first packet could wait that long.
func (s *stage) machine(ctx context.Context, ns *lab.Namespace, img image, n nic, cpus int, line string) (*lab.Machine, error) {
	return s.machineWith(ctx, ns, img, n, cpus, line, targets.Config{LUNs: map[int]string{1: s.disk.Path}})
}

// machineWith is machine with more of a target; name and portal are always the same.
func (s *stage) machineWith(ctx context.Context, ns *lab.Namespace, img image, n nic, cpus int, line string, target targets.Config) (*lab.Machine, error) {
	target.Name, target.Portal = targetName, netip.MustParseAddrPort("10.77.0.1:3260")
	tap, err := ns.AddTap("tap0", netip.PrefixFrom(target.Portal.Addr(), 24))
	if err != nil {
		return nil, err
	}
	if _, err := targets.StartTgtd(ctx, ns, target); err != nil {
		return nil, err
	}
	if img.name == dhcp {
		_, err := ns.StartDnsmasq(ctx, "--interface=tap0", "--dhcp-range=10.77.0.2,10.77.0.2,255.255.255.0,1h", "--dhcp-authoritative")
		if err != nil {
			return nil, err
		}
	}
	return ns.StartMachine(ctx, lab.MachineConfig{
		Kernel: s.kernel.Image, Initrd: img.path, Append: line, CPUs: cpus, NICs: []lab.NIC{{Model: n.model, Tap: tap}},
	})
}

// makeDisk makes a disk as the HOWTO has it: something small first, then root. Its shell is there
// for the HOWTO's last line.
func (s *stage) makeDisk() (*images.Disk, error) {
	busybox, err := busyboxPath()
	if err != nil {
		return nil, err
	}
	root := images.Tree{
		"sbin/init":   images.Copy(s.native["realinit"]),
		"bin/sh":      images.Copy(busybox),
		"dev/console": images.CharDevice(5, 1), "dev/null": images.CharDevice(1, 3), "dev/kmsg": images.CharDevice(1, 11),
		"proc": images.Dir(), "sys": images.Dir(), "run": images.Dir(),
	}
	return images.WriteDisk(filepath.Join(s.dir, "disk"),
		images.Filesystem{Type: "ext2", MiB: 8, Label: "boot"},
		images.Filesystem{Type: "ext4", MiB: 64, Label: "root", Tree: root})
}
