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
	case v == "/dev/root": // dracut's and the kernel's word for what root is found to be
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
	case ps.yields(p):
		return nil
	}
	before := slices.Clone(ps.nodes)
	d, err := ps.device(p)
	if err == nil { // an earlier root= counts no longer
		added := ps.nodes[len(before):]
		ps.nodes = before
		ps.dropNodes()
		ps.nodes = append(ps.nodes, added...)
	}
	if err == nil && d.By == ByNode && strings.HasPrefix(p.Origin, "/etc/") {
		// dracut bakes the disk of the machine that it runs on into the image.
		ps.nodes = ps.nodes[:len(ps.nodes)-1]
		ps.warnf("%s is ignored: %s is not a disk of our sessions", source(p), show(p.Value))
		return nil
	}
	if err == nil {
		set(ps, &ps.plan.Root.Device, d, p)
	}
	return err
}

// dropNodes forgets the kernel's names of disks in earlier root=, under any of its names.
func (ps *parser) dropNodes() {
	ps.nodes = slices.DeleteFunc(ps.nodes, func(p cmdline.Param) bool { return p.Key != "rootfallback" })
}

// yields tells whether a word names root in vain, and warns of it: genkernel's real_root= counts
// more than root=, wherever it stands, and a board's boot loader has rootdev= for a script of its
// own, which counts only where it names a device and no root= does.
func (ps *parser) yields(p cmdline.Param) bool {
	given := ps.plan.Root.Device.From
	switch {
	case p.Key == "root" && strings.HasPrefix(given, "real_root="), p.Key == "rootdev" && given != "" && !strings.HasPrefix(given, "rootdev=") && !low(given):
		ps.warnf("%s is ignored beside %s", source(p), given)
		return true
	case p.Key == "rootdev":
		if d, ok := ParseDevice(p.Value); !ok || d.By == ByNode {
			ps.warnf("%s is ignored: %s is not a disk of our sessions", source(p), show(p.Value))
			return true
		}
	}
	return false
}

// forgetDHCP drops the wish for a target of DHCP's where another source names one: beside
// netroot=iscsi: root=dhcp means no more than no root= does.
func (ps *parser) forgetDHCP() {
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
		if strings.HasPrefix(p.Value, "cifs:") { // its options may hold some
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

// warnRAMDisk warns of root=/dev/ram0 unless a device is named beside it, as genkernel's users do
// with real_root=. It names the initramfs as the boot loaders of long ago had it.
func (ps *parser) warnRAMDisk() {
	if len(ps.ram) > 0 && !ps.plan.Root.Device.Given() {
		ps.warnf("%s is ignored: it is not a disk of our sessions", showWord(ps.ram[0]))
	}
}

// checkNodes refuses the kernel's names of disks that are not ours, unless they may be looked at.
func (ps *parser) checkNodes() error {
	if ps.plan.Root.AnyDisk.V {
		return nil
	}
	var errs []error
	for _, p := range ps.nodes {
		errs = append(errs, bad(p, "this is not a disk of our sessions", deviceForms+"; or add rd.root.any if a disk of this machine is meant"))
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

// As with the kernel a bare rootwait is without end.
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

// seconds takes a time; form is what to write in its place if it is none.
func (ps *parser) seconds(dst *Value[time.Duration], p cmdline.Param, form string) error {
	n, err := strconv.ParseUint(p.Value, 10, 31)
	if err != nil {
		return bad(p, "this is not a time", form)
	}
	set(ps, dst, time.Duration(n)*time.Second, p)
	return nil
}

// fstype takes the kernel's comma list. Whether the image has the driver is seen when it runs.
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

// maxFSType is longer than any type the kernel knows.
const maxFSType = 32

func (ps *parser) flags(p cmdline.Param) error {
	set(ps, &ps.plan.Root.Flags, p.Value, p)
	return nil
}

// As in the kernel the last of ro and rw counts, and neither is odd.
func (ps *parser) ro(p cmdline.Param) error {
	return ps.mode(p, false)
}

func (ps *parser) rw(p cmdline.Param) error {
	return ps.mode(p, true)
}

// mode leaves alone what the kernel leaves alone (init/do_mounts.c: readonly, readwrite): a word
// with a value.
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
		return nil // genkernel's own in the initramfs, which it passes over too
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
	for one := range strings.SplitSeq(Redact(step), ",") { // a step that there is none of is shown
		ps.plan.Policy.Break = append(ps.plan.Policy.Break, Value[string]{one, source(p)})
	}
	return nil
}

// rd.shell takes dracut's booleans, or the path of a shell in the image.
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

// off tells dracut's words for no; every other value, and none, is yes.
func off(v string) bool { return v == "0" || v == "no" || v == "off" }
