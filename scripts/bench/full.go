package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// full are made by Debian's own makers of an initramfs, and measured with BENCH_FULL=1: they take
// much longer than the others.
var full = []candidate{
	{"initramfs-tools", "Debian's own, MODULES=list with the modules known, open-iscsi's scripts", nil, initramfs.Zstd, false},
	{"dracut", "dracut without systemd, with its own iSCSI scripts and the modules known", nil, initramfs.Zstd, false},
}

// common is in the command lines of both: the same end of a boot as in commandLine, and the names
// of cards that all others use.
const common = " root=/dev/sda2 ro net.ifnames=0 console=ttyS0 quiet panic=-1 no_timer_check"

// lines are the command lines of those that do not support the HOWTO's words, or need others.
var lines = map[string]string{
	dhcp: strings.Replace(commandLine, "iscsi_i_ip=10.77.0.2/255.255.255.0", "ip=dhcp", 1),
	"initramfs-tools": "iscsi_initiator=" + initiatorName + " iscsi_target_name=" + targetName + " iscsi_target_ip=10.77.0.1" +
		" ip=10.77.0.2:::255.255.255.0::eth0:none" + common,
	"dracut": "rd.iscsi.initiator=" + initiatorName + " netroot=iscsi:10.77.0.1::3260:1:" + targetName +
		" ip=10.77.0.2:::255.255.255.0::eth0:none rd.neednet=1" + common,
}

const initiatorName = "iqn.2007-01.com.example:server.remote1"

// errKernel reports that the makers can only use the kernel whose modules are in their root.
var errKernel = errors.New("with BENCH_FULL=1 the kernel is amd64")

// everyDriver, in place of a driver, is for an image with what its maker puts in for an unknown
// machine.
const everyDriver = "every"

// makeInitrd has an initramfs made by a maker of Debian's, for a card as ours is.
func (s *stage) makeInitrd(ctx context.Context, maker string, n nic, path string) error {
	cmd, err := s.makerCommand(ctx, maker, n.driver, path)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", maker, err, lastWords(string(out)))
	}
	return nil
}

// makerCommand is what runs a maker of Debian's in a chroot. Its mounts end with it.
func (s *stage) makerCommand(ctx context.Context, maker, driver, path string) (*exec.Cmd, error) {
	root, err := images.DebianRoot("initrds")
	if err != nil {
		return nil, fmt.Errorf("%w; run scripts/deps.sh bench-full", err)
	}
	if s.options.kernel != "amd64" {
		return nil, errKernel
	}
	text, err := guest.ReadFile("guest/initrds.sh")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(s.dir, "initrds.sh")
	if err := os.WriteFile(script, text, 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child",
		"sh", script, maker, root, s.kernel.Release, driver, path), nil
}
