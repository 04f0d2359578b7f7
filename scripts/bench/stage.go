package main

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"regexp"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

const (
	targetName = "iqn.2007-01.com.example:storage.remote1"
	// commandLine is the HOWTO's. quiet, so that no one waits for the serial port; a panic ends the machine.
	commandLine = "iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_i_ip=10.77.0.2/255.255.255.0 iscsi_t=" + targetName +
		" iscsi_a=10.77.0.1 console=ttyS0 quiet panic=-1"
)

// stage is what all boots share.
type stage struct {
	options
	ns     *lab.Namespace
	tap    *lab.Tap
	target *lab.Tgtd
	kernel lab.Kernel
	native map[string]string // compiled C, by name
}

func newStage(ctx context.Context, o options) (*stage, error) {
	kernel, err := lab.FindKernel(o.kernel)
	if err != nil {
		return nil, err
	}
	ns, err := lab.NewNamespace()
	if err != nil {
		return nil, err
	}
	s := &stage{options: o, ns: ns, kernel: kernel}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return s, nil
}

// Close ends what the stage has started.
func (s *stage) Close() error { return s.ns.Close() }

// prepare makes the programs, the disk, the wire and the target.
func (s *stage) prepare(ctx context.Context) error {
	var err error
	if s.native, err = compile(ctx, s.ns.Dir()); err != nil {
		return err
	}
	disk, err := s.makeDisk()
	if err != nil {
		return err
	}
	portal := netip.MustParseAddrPort("10.77.0.1:3260")
	if s.tap, err = s.ns.AddTap("tap0", netip.PrefixFrom(portal.Addr(), 24)); err != nil {
		return err
	}
	s.target, err = s.ns.StartTgtd(ctx, lab.TargetConfig{Name: targetName, Portal: portal, LUNs: map[int]string{1: disk.Path}})
	return err
}

// makeDisk makes a disk as the HOWTO has it: something small first, then root. Its shell is there for the HOWTO's last line.
func (s *stage) makeDisk() (*lab.Disk, error) {
	busybox, err := busyboxPath()
	if err != nil {
		return nil, err
	}
	root := lab.Tree{
		"sbin/init":   lab.Copy(s.native["realinit"]),
		"bin/sh":      lab.Copy(busybox),
		"dev/console": lab.CharDevice(5, 1), "dev/null": lab.CharDevice(1, 3), "dev/kmsg": lab.CharDevice(1, 11),
		"proc": lab.Dir(), "sys": lab.Dir(), "run": lab.Dir(),
	}
	return lab.WriteDisk(filepath.Join(s.ns.Dir(), "disk"),
		lab.Filesystem{Type: "ext2", MiB: 8, Label: "boot"},
		lab.Filesystem{Type: "ext4", MiB: 64, Label: "root", Tree: root})
}

// A session in what tgtadm shows, and the connections below it.
var (
	sessionLine    = regexp.MustCompile(`(?m)^Session: (\d+)$`)
	connectionLine = regexp.MustCompile(`(?m)^\s+Connection: (\d+)$`)
)

// dropSessions ends what a machine that was switched off has left at the target: tgtd would go on sending to it, which delays
// the next machine's first packets.
func (s *stage) dropSessions(ctx context.Context) error {
	text, err := s.target.Admin(ctx, "--op", "show", "--mode", "conn", "--tid", "1")
	if err != nil {
		return err
	}
	for _, c := range connections(text) {
		if _, err := s.target.Admin(ctx, "--op", "delete", "--mode", "conn", "--tid", "1", "--sid", c[0], "--cid", c[1]); err != nil {
			return err
		}
	}
	return nil
}

// connections returns pairs of a session's and a connection's number.
func connections(text string) [][2]string {
	var out [][2]string
	at := sessionLine.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		for _, c := range connectionLine.FindAllStringSubmatch(text[m[1]:end], -1) {
			out = append(out, [2]string{text[m[2]:m[3]], c[1]})
		}
	}
	return out
}
