package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/internal/liospec"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// LIOConfig describes a machine whose kernel is the target.
type LIOConfig struct {
	// Kernel is a name for [deps.FindKernel]; empty: amd64.
	Kernel string
	// Init is the program of pkg/internal/lioguest, built without cgo.
	Init string
	// NICs are its network devices.
	NICs []LIONIC
	// Targets are what it serves. The distinct images of their LUNs become its disks, at most
	// 26, which several targets may share.
	Targets []Config
	// DiscoveryCHAP is what a discovery session requires. LIO has one for all targets; those of
	// the targets stay empty.
	DiscoveryCHAP CHAP
}

// LIONIC is a network device of the target's machine.
type LIONIC struct {
	// Tap is the host's end of its wire, of a [lab.Bridge] for initiators that are machines
	// too. Addrs are the machine's.
	Tap   *lab.Tap
	Addrs []netip.Prefix
}

// LIO is a machine whose kernel is the target.
type LIO struct {
	*lab.Machine
	config LIOConfig
}

// lioModules are what the guest loads. It answers no request of the kernel's for modules, so that
// the hashes of CHAP and the digests' checksum have to be loaded before LIO requests them.
var lioModules = []string{
	"virtio_pci", "virtio_net", "virtio_blk", "configfs", "crc32c", "crc32c_generic", "sha256_generic", "sha3_generic",
	"target_core_mod", "target_core_iblock", "iscsi_target_mod",
}

// StartLIO boots a machine with the targets and returns when all their portals accept connections.
// Its targets are strict: only Initiators may log in, with CHAP if it is given and else without
// authentication.
func StartLIO(ctx context.Context, ns *lab.Namespace, c LIOConfig) (*LIO, error) {
	l, err := startLIO(ctx, ns, c)
	if err != nil {
		return nil, fmt.Errorf("start lio: %w", err)
	}
	return l, nil
}

func startLIO(ctx context.Context, ns *lab.Namespace, c LIOConfig) (*LIO, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Kernel == "" {
		c.Kernel = "amd64"
	}
	kernel, err := deps.FindKernel(c.Kernel)
	if err != nil {
		return nil, err
	}
	images := c.images()
	initrd, err := lioInitrd(ctx, ns, c, kernel, images)
	if err != nil {
		return nil, err
	}
	var args []string
	for i, image := range images {
		args = append(args, "-drive", "if=none,format=raw,id=disk"+strconv.Itoa(i)+",file="+image, "-device", "virtio-blk-pci,drive=disk"+strconv.Itoa(i))
	}
	vmlinux, err := kernel.Vmlinux()
	if err != nil {
		return nil, err
	}
	var nics []lab.NIC
	for i, n := range c.NICs {
		nics = append(nics, lab.NIC{Tap: n.Tap, MAC: fmt.Sprintf("52:54:00:77:01:%02x", i+1)})
	}
	m, err := ns.StartMachine(ctx, lab.MachineConfig{
		Kernel: vmlinux, Initrd: initrd, Append: "console=ttyS0 quiet panic=-1", Args: args, NICs: nics,
	})
	if err != nil {
		return nil, err
	}
	if _, err := m.Expect(ctx, "lio: ready"); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	for _, t := range c.Targets {
		if err := ns.WaitAccept(ctx, m, t.portals()...); err != nil {
			return nil, errors.Join(err, m.Stop())
		}
	}
	return &LIO{Machine: m, config: c}, nil
}

func (c LIOConfig) check() error {
	if len(c.Targets) == 0 || len(c.NICs) == 0 || c.Init == "" {
		return errors.New("no target, no NIC or no program")
	}
	for _, t := range c.Targets {
		switch {
		case len(t.Initiators) == 0:
			return fmt.Errorf("target %s: no initiator", t.Name)
		case t.Redirect != nil || t.DiscoveryCHAP != CHAP{}:
			return fmt.Errorf("target %s: %w", t.Name, errors.ErrUnsupported)
		}
		if err := t.check(); err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
	}
	return c.DiscoveryCHAP.check()
}

// images are the distinct images of all LUNs.
func (c LIOConfig) images() []string {
	var out []string
	for _, t := range c.Targets {
		for _, image := range t.LUNs {
			out = append(out, image)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lioInitrd writes the machine's initramfs.
func lioInitrd(ctx context.Context, ns *lab.Namespace, c LIOConfig, k deps.Kernel, images []string) (string, error) {
	text, err := json.MarshalIndent(c.spec(images), "", "  ")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(ns.Dir(), "lio-")
	if err != nil {
		return "", err
	}
	spec, initrd := filepath.Join(dir, "lio.json"), filepath.Join(dir, "initrd")
	if err := os.WriteFile(spec, text, 0o600); err != nil {
		return "", err
	}
	_, err = initramfs.Build(ctx, initramfs.Config{
		Root: k.ModulesRoot, KernelVersion: k.Release, InitPath: c.Init, NICs: []string{"virtio_net"}, FileSystems: []string{"ext4"},
		Drivers: lioModules, Files: []initramfs.File{{Path: liospec.Path, Source: spec, Mode: 0o600}}, Compression: initramfs.None,
	}, initrd)
	return initrd, err
}

// spec is what the guest reads.
func (c LIOConfig) spec(images []string) liospec.Spec {
	s := liospec.Spec{Modules: lioModules, Disks: len(images), Discovery: liospec.CHAP(c.DiscoveryCHAP)}
	for _, n := range c.NICs {
		s.Addrs = append(s.Addrs, n.Addrs)
	}
	for _, t := range c.Targets {
		out := liospec.Target{
			Name: t.Name, Group: 1, Portals: t.portals(), LUNs: map[int]int{}, Initiators: t.Initiators,
			Login: liospec.CHAP(t.CHAP), Keys: t.lioKeys(),
		}
		for lun, image := range t.LUNs {
			out.LUNs[lun] = slices.Index(images, image)
		}
		if !t.Grouped {
			s.Targets = append(s.Targets, out)
			continue
		}
		out.Access = true
		for i := range t.portals() {
			out.Group, out.Portals = i+1, t.portals()[i:i+1]
			s.Targets = append(s.Targets, out)
		}
	}
	return s
}

// lioKeys are the attributes of a strict portal group. AuthMethod has no None where there is CHAP.
func (c Config) lioKeys() []string {
	auth, method := "0", "None"
	if c.CHAP.User != "" {
		auth, method = "1", "CHAP"
	}
	keys := []string{
		"attrib/generate_node_acls", "0", "attrib/demo_mode_discovery", "0", "attrib/authentication", auth,
		"param/AuthMethod", method,
		"param/HeaderDigest", orNone(c.HeaderDigest), "param/DataDigest", orNone(c.DataDigest),
	}
	if n := c.MaxRecvDataSegmentLength; n != 0 {
		// What it declares is the value that it calls MaxXmit (iscsi_target_parameters.c,
		// iscsi_check_acceptor_state).
		keys = append(keys, "param/MaxXmitDataSegmentLength", strconv.Itoa(n), "param/MaxRecvDataSegmentLength", strconv.Itoa(n))
	}
	return keys
}

func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}

// sessionsLine is the guest's answer.
var sessionsLine = regexp.MustCompile(`lio: (\d+) sessions\n`)

// Sessions is how many sessions the i-th target has. Calls must not overlap.
func (l *LIO) Sessions(ctx context.Context, i int) (int, error) {
	if err := l.Send(liospec.CountSessions + " " + l.config.Targets[i].Name + "\n"); err != nil {
		return 0, err
	}
	groups, err := l.ExpectMatch(ctx, sessionsLine)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(groups[1])
}

// Access is an access state of a LUN (ALUA, SPC-4 6.27).
type Access int

// The access states that LIO can be given.
const (
	Optimized Access = iota
	NonOptimized
	Standby
	Unavailable
)

// SetAccess changes the access state of a LUN's image by a portal group, whose number counts from
// 1; the target is Grouped. Calls must not overlap.
func (l *LIO) SetAccess(ctx context.Context, image string, group int, to Access) error {
	if err := l.Send(fmt.Sprintf("%s %d %d %d\n", liospec.SetAccess, slices.Index(l.config.images(), image), group, to)); err != nil {
		return err
	}
	_, err := l.Expect(ctx, liospec.AccessSet)
	return err
}

// Target is the i-th of the configuration's targets. Its Stop ends the machine, and with it all
// targets.
func (l *LIO) Target(i int) Target { return lioTarget{l, l.config.Targets[i]} }

type lioTarget struct {
	lio    *LIO
	config Config
}

func (t lioTarget) Name() string         { return t.config.Name }
func (t lioTarget) Addr() netip.AddrPort { return t.config.Portal }
func (t lioTarget) Log() string          { return t.lio.Output() }
func (t lioTarget) Stop() error          { return t.lio.Stop() }
