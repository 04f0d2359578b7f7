package bootspec

import (
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func (ps *parser) root(p cmdline.Param) error {
	d, ok := parseDevice(p.Value)
	if !ok {
		return bad(p, "this form of a root device is not supported", "/dev/sda2, /dev/sda or the like: a disk of our sessions and a partition")
	}
	set(ps, &ps.plan.Root.Device, d, p)
	return nil
}

// parseDevice reads /dev/sdXN. Letters count as in the kernel's
// sd_format_disk_name (drivers/scsi/sd.c): a to z, aa, ab and on.
func parseDevice(s string) (Device, bool) {
	s, ok := strings.CutPrefix(s, "/dev/sd")
	if !ok {
		return Device{}, false
	}
	i := 0
	for i < len(s) && s[i] >= 'a' && s[i] <= 'z' {
		i++
	}
	if i == 0 || i > 3 {
		return Device{}, false
	}
	disk := 0
	for _, c := range s[:i] {
		disk = disk*26 + int(c-'a') + 1
	}
	d := Device{Disk: disk - 1}
	if digits := s[i:]; digits != "" {
		n, err := strconv.ParseUint(digits, 10, 8)
		if err != nil || n == 0 || digits[0] == '0' {
			return Device{}, false
		}
		d.Partition = int(n)
	}
	return d, true
}

// letters is parseDevice's other direction.
func letters(disk int) string {
	s := ""
	for n := disk + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('a'+(n-1)%26)) + s
	}
	return s
}

func itoa(n int) string { return strconv.Itoa(n) }

func (ps *parser) fstype(p cmdline.Param) error {
	switch p.Value {
	case "ext2", "ext3", "ext4":
		set(ps, &ps.plan.Root.FSType, p.Value, p)
		return nil
	case "auto":
		ps.plan.Root.FSType = Value[string]{}
		return nil
	}
	return bad(p, "this file system is not supported", "ext2, ext3, ext4 or auto")
}

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

// mode leaves alone what the kernel leaves alone (init/do_mounts.c: readonly,
// readwrite): a word with a value.
func (ps *parser) mode(p cmdline.Param, readWrite bool) error {
	if p.HasValue {
		ps.warnf("%s does nothing: %s takes no value", clip(p.String()), p.Key)
		return nil
	}
	ps.plan.Root.ReadWrite = Value[bool]{readWrite, p.Key}
	return nil
}

func (ps *parser) init(p cmdline.Param) error {
	if !strings.HasPrefix(p.Value, "/") {
		return bad(p, "this is no path", "a path in the root that begins with /, such as /sbin/init")
	}
	set(ps, &ps.plan.Init, p.Value, p)
	return nil
}

func (ps *parser) breakpoint(p cmdline.Param) error {
	step := p.Value
	if step == "" {
		step = BeforeSwitchRoot
	}
	for one := range strings.SplitSeq(step, ",") {
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

func (ps *parser) panics(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.Panic, p.Value, p)
	return nil
}

// off tells dracut's words for no; every other value, and none, is yes.
func off(v string) bool { return v == "0" || v == "no" || v == "off" }
