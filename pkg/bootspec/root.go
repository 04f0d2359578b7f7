package bootspec

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func (ps *parser) root(p cmdline.Param) error {
	switch v := p.Value; {
	case v == "/dev/root": // the name of the mounted root in dracut and in the kernel
		ps.dropNodes()
		return nil
	case strings.TrimRight(v, "0123456789") == "/dev/ram":
		ps.dropNodes()
		ps.ram = append(ps.ram, p)
		return nil
	case v == "dhcp", v == "dhcp6":
		ps.dropNodes()
		ps.plan.ByDHCP = Value[bool]{true, source(p)}
		return nil
	case v == "iscsi", strings.HasPrefix(v, "iscsi:"):
		return ps.rootISCSI(p)
	case ps.overruled(p):
		return nil
	}
	before := slices.Clone(ps.nodes)
	d, err := ps.device(p)
	if err == nil { // it replaces an earlier root=
		added := ps.nodes[len(before):]
		ps.nodes = before
		ps.dropNodes()
		ps.nodes = append(ps.nodes, added...)
	}
	if err == nil && d.By == ByNode && strings.HasPrefix(p.Origin, "/etc/") {
		// dracut writes the disk of the build machine into the image.
		ps.nodes = ps.nodes[:len(ps.nodes)-1]
		ps.warnf("%s is ignored: %s is not an iSCSI disk", source(p), show(p.Value))
		return nil
	}
	if err == nil {
		set(ps, &ps.plan.Root.Device, d, p)
	}
	return err
}

// dropNodes drops the kernel's names of disks in an earlier root=, under any of its names.
func (ps *parser) dropNodes() {
	ps.nodes = slices.DeleteFunc(ps.nodes, func(p cmdline.Param) bool { return p.Key != "rootfallback" })
}

// overruled reports whether a word for root is ignored, and warns of it: genkernel's real_root=
// takes precedence over root= in any order, and some boards' boot loaders pass rootdev= to their
// own scripts: it is used only if it names a device and no root= is given.
func (ps *parser) overruled(p cmdline.Param) bool {
	given := ps.plan.Root.Device.From
	switch {
	case p.Key == "root" && strings.HasPrefix(given, "real_root="), p.Key == "rootdev" && given != "" && !strings.HasPrefix(given, "rootdev=") && !isDefault(given):
		ps.warnf("%s is ignored: %s takes precedence", source(p), given)
		return true
	case p.Key == "rootdev":
		if d, ok := ParseDevice(p.Value); !ok || d.By == ByNode {
			ps.warnf("%s is ignored: %s is not an iSCSI disk", source(p), show(p.Value))
			return true
		}
	}
	return false
}

// dropByDHCP drops the request for DHCP's target if another source names one: with netroot=iscsi:
// root=dhcp means the same as no root=.
func (ps *parser) dropByDHCP() {
	if ps.plan.named() {
		ps.plan.ByDHCP = Value[bool]{}
	}
}

func (ps *parser) fallback(p cmdline.Param) error {
	d, err := ps.device(p)
	if err == nil {
		ps.plan.Root.Fallbacks = append(ps.plan.Root.Fallbacks, Value[Device]{d, source(p)})
	}
	return err
}

func (ps *parser) device(p cmdline.Param) (Device, error) {
	d, ok := ParseDevice(p.Value)
	if !ok {
		what, other := rootKind(p.Value)
		if strings.HasPrefix(p.Value, "cifs:") { // its options may contain secrets
			p.Value = "cifs:" + redacted
		}
		if other {
			return d, otherProtocol(p, what+" is not supported", deviceForms)
		}
		if what != "" {
			return d, bad(p, what+" is not supported", deviceForms)
		}
		return d, bad(p, "this form of a root device is not supported", deviceForms)
	}
	if d.By == ByNode {
		ps.nodes = append(ps.nodes, p)
	}
	return d, nil
}

// warnRAMDisk warns of root=/dev/ram0 unless another parameter names a device, such as genkernel's
// real_root=. Old boot loaders use it for the initramfs.
func (ps *parser) warnRAMDisk() {
	if len(ps.ram) > 0 && !ps.plan.Root.Device.Given() {
		ps.warnf("%s is ignored: it is not an iSCSI disk", showWord(ps.ram[0]))
	}
}

// checkNodes refuses the kernel's names of disks that are not iSCSI disks, unless local disks are
// searched.
func (ps *parser) checkNodes() error {
	if ps.plan.Root.AnyDisk.V {
		return nil
	}
	var errs []error
	for _, p := range ps.nodes {
		errs = append(errs, bad(p, "this is not an iSCSI disk", deviceForms+"; or add rd.root.any for a local disk of this machine"))
	}
	root := &ps.plan.Root
	if root.Device.V.By == ByNode {
		root.Device = Value[Device]{}
	}
	root.Fallbacks = slices.DeleteFunc(root.Fallbacks, func(v Value[Device]) bool { return v.V.By == ByNode })
	return errors.Join(errs...)
}

func (ps *parser) anyDisk(p cmdline.Param) error {
	set(ps, &ps.plan.Root.AnyDisk, !off(p.Value), p)
	return nil
}

// As in the kernel a bare rootwait has no limit.
func (ps *parser) wait(p cmdline.Param) error {
	if p.Value == "" {
		set(ps, &ps.plan.Root.Wait, Forever, p)
		return nil
	}
	return ps.seconds(&ps.plan.Root.Wait, p, secondsForm)
}

func (ps *parser) delay(p cmdline.Param) error {
	return ps.seconds(&ps.plan.Root.Delay, p, secondsForm)
}

// secondsForm is what to write for a time.
const secondsForm = "a number of seconds"

// seconds reads a time; form is the form that an error names.
func (ps *parser) seconds(dst *Value[time.Duration], p cmdline.Param, form string) error {
	n, err := strconv.ParseUint(p.Value, 10, 31)
	if err != nil {
		return bad(p, "this is not a time", form)
	}
	set(ps, dst, time.Duration(n)*time.Second, p)
	return nil
}

// fstype reads the kernel's comma list. Whether the image has the driver shows at the boot.
func (ps *parser) fstype(p cmdline.Param) error {
	if p.Value == "auto" {
		ps.plan.Root.FSType = Value[string]{}
		return nil
	}
	for one := range strings.SplitSeq(p.Value, ",") {
		if one == "" || len(one) > maxFSType || one == "auto" || strings.ContainsFunc(one, func(c rune) bool {
			return c != '_' && c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
		}) {
			return bad(p, "this is not a file system", "a name or a list with commas, such as ext4 or xfs,ext4, or auto")
		}
	}
	set(ps, &ps.plan.Root.FSType, p.Value, p)
	return nil
}

// maxFSType is longer than the name of any type in the kernel.
const maxFSType = 32

func (ps *parser) flags(p cmdline.Param) error {
	set(ps, &ps.plan.Root.Flags, p.Value, p)
	return nil
}

// As in the kernel the last of ro and rw is used, without a warning.
func (ps *parser) ro(p cmdline.Param) error {
	return ps.mode(p, false)
}

func (ps *parser) rw(p cmdline.Param) error {
	return ps.mode(p, true)
}

// mode ignores a word with a value, as the kernel does (init/do_mounts.c: readonly, readwrite).
func (ps *parser) mode(p cmdline.Param, readWrite bool) error {
	if p.HasValue {
		ps.warnf("%s is ignored: %s takes no value", showWord(p), p.Key)
		return nil
	}
	ps.plan.Root.ReadWrite = Value[bool]{readWrite, p.Key}
	return nil
}

func (ps *parser) init(p cmdline.Param) error {
	if p.Value == "/linuxrc" {
		return nil // the init of genkernel's initramfs, which genkernel ignores too
	}
	if !strings.HasPrefix(p.Value, "/") {
		return bad(p, "this is not a path", "a path in the root that begins with /, such as /sbin/init")
	}
	set(ps, &ps.plan.Init, p.Value, p)
	return nil
}

func (ps *parser) breakpoint(p cmdline.Param) error {
	step := p.Value
	if step == "" {
		step = BeforeSwitchRoot
	}
	for one := range strings.SplitSeq(Redact(step), ",") { // an unknown step is shown
		ps.plan.Policy.Break = append(ps.plan.Policy.Break, Value[string]{one, source(p)})
	}
	return nil
}

// shell reads rd.shell=: a boolean of dracut, or the path of a shell in the image.
func (ps *parser) shell(p cmdline.Param) error {
	switch {
	case off(p.Value):
		ps.plan.Policy.Shell = Value[string]{}
	case strings.HasPrefix(p.Value, "/"):
		set(ps, &ps.plan.Policy.Shell, p.Value, p)
	default:
		set(ps, &ps.plan.Policy.Shell, "", p)
	}
	return nil
}

func (ps *parser) debug(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.Debug, !off(p.Value), p)
	return nil
}

func (ps *parser) watchdog(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.Watchdog, !off(p.Value), p)
	return nil
}

func (ps *parser) panics(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.Panic, p.Value, p)
	return nil
}

// off reports whether a value is one of dracut's words for no; every other value, and none, means
// yes.
func off(v string) bool { return v == "0" || v == "no" || v == "off" }
