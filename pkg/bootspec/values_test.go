package bootspec_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// equal compares plans with the address types, which have no exported fields.
var equal = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(iscsi.Secret.Equal),
}

func parse(text string) (bootspec.Plan, error) { return bootspec.Parse(cmdline.Parse(text)) }

func from[T any](v T, source string) bootspec.Value[T] {
	return bootspec.Value[T]{V: v, From: source}
}

// good is a valid value, and what it changes in an empty plan. The key in from is the one that was
// written, so that one entry is for every alias.
type good struct {
	key, value string
	want       func(p *bootspec.Plan, from string)
}

func name(dst func(*bootspec.Plan) *bootspec.Value[string], v string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { *dst(p) = from(v, source) }
}

func initiator(p *bootspec.Plan) *bootspec.Value[string] { return &p.Initiator }
func target(p *bootspec.Plan) *bootspec.Value[string]    { return &first(p).Name }
func user(p *bootspec.Plan) *bootspec.Value[string]      { return &first(p).CHAP.User }
func targetUser(p *bootspec.Plan) *bootspec.Value[string] {
	return &first(p).CHAP.TargetUser
}
func algorithms(p *bootspec.Plan) *bootspec.Value[string] { return &p.Login.Algorithms }
func iface(p *bootspec.Plan) *bootspec.Value[string]      { return &p.Net.Interface }
func flags(p *bootspec.Plan) *bootspec.Value[string]      { return &p.Root.Flags }
func fstype(p *bootspec.Plan) *bootspec.Value[string]     { return &p.Root.FSType }
func initPath(p *bootspec.Plan) *bootspec.Value[string]   { return &p.Init }
func shell(p *bootspec.Plan) *bootspec.Value[string]      { return &p.Policy.Shell }
func kernelPanic(p *bootspec.Plan) *bootspec.Value[string] {
	return &p.Policy.Panic
}

func address(v string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Net.Address = from(netip.MustParsePrefix(v), source) }
}

func gateway(v string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Net.Gateway = from(netip.MustParseAddr(v), source) }
}

// first is the plan's first target.
func first(p *bootspec.Plan) *bootspec.Target {
	if len(p.Targets) == 0 {
		p.Targets = []bootspec.Target{{Number: 1}}
	}
	return &p.Targets[0]
}

func portals(v ...bootspec.Portal) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		for _, one := range v {
			first(p).Portals = append(first(p).Portals, from(one, source))
		}
	}
}

func portal(host string, port uint16) func(*bootspec.Plan, string) {
	return portals(bootspec.Portal{Host: host, Port: port})
}

func secret(dst func(*bootspec.CHAP) *bootspec.Value[iscsi.Secret], v string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		*dst(&first(p).CHAP) = from(iscsi.NewSecret([]byte(v)), source)
		p.Warnings = append(p.Warnings, "all users of this machine can read the secret in "+source+" in /proc/cmdline: put it into /etc/iscsiroot/credentials in the image, mode 0600")
	}
}

func ownSecret(c *bootspec.CHAP) *bootspec.Value[iscsi.Secret]    { return &c.Secret }
func targetSecret(c *bootspec.CHAP) *bootspec.Value[iscsi.Secret] { return &c.TargetSecret }

func digest(dst func(*bootspec.Login) *bootspec.Value[iscsi.DigestPolicy], v iscsi.DigestPolicy) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { *dst(&p.Login) = from(v, source) }
}

func header(l *bootspec.Login) *bootspec.Value[iscsi.DigestPolicy] { return &l.HeaderDigest }
func data(l *bootspec.Login) *bootspec.Value[iscsi.DigestPolicy]   { return &l.DataDigest }

func nameserver(v string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Net.Nameservers = append(p.Net.Nameservers, from(netip.MustParseAddr(v), source))
	}
}

// aTarget is the plan for a parameter that does nothing alone.
func aTarget(p *bootspec.Plan, _ string) { first(p) }

func group(v uint16) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { first(p).Group = from(v, source) }
}

func lun(v iscsi.LUN) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { first(p).LUN = from(v, source) }
}

func device(disk, partition int) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Root.Device = from(bootspec.Device{Disk: disk, Partition: partition}, source)
	}
}

func timeout(v time.Duration) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.Timeout = from(v, source) }
}

func shutdownTimeout(v time.Duration) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.ShutdownTimeout = from(v, source) }
}

func emergency(v bootspec.Emergency) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.Emergency = from(v, source) }
}

func breaks(steps ...string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		for _, s := range steps {
			p.Policy.Break = append(p.Policy.Break, from(s, source))
		}
	}
}

func debug(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.Debug = from(v, source) }
}

func watchdog(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.Watchdog = from(v, source) }
}

func readWrite(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.ReadWrite = from(v, source) }
}

func timer(dst func(*bootspec.Plan) *bootspec.Value[time.Duration], v time.Duration) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { *dst(p) = from(v, source) }
}

func mirror(p *bootspec.Plan) *bootspec.Value[time.Duration]   { return &p.Login.Timers.Mirror }
func recovery(p *bootspec.Plan) *bootspec.Value[time.Duration] { return &p.Login.Timers.Recovery }
func pingInterval(p *bootspec.Plan) *bootspec.Value[time.Duration] {
	return &p.Login.Timers.PingInterval
}

func pingTimeout(p *bootspec.Plan) *bootspec.Value[time.Duration] {
	return &p.Login.Timers.PingTimeout
}

func keepAddress(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Policy.KeepAddress = from(v, source) }
}

func anyDisk(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.AnyDisk = from(v, source) }
}

func wait(v time.Duration) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.Wait = from(v, source) }
}

func nothing(*bootspec.Plan, string) {}

// warned is for a value that is taken with a warning.
func warned(want func(*bootspec.Plan, string), text string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		want(p, source)
		p.Warnings = append(p.Warnings, source+text)
	}
}

func strict(p *bootspec.Plan, source string) { p.Login.StrictCHAP = from(true, source) }

// A value of "-" means that the word has no '='.
var goods = []good{
	{"iscsi_i", "iqn.2007-01.com.example:server.remote1", name(initiator, "iqn.2007-01.com.example:server.remote1")},
	{"iscsi_i", "eui.02004567A425678D", name(initiator, "eui.02004567A425678D")},
	{"iscsi_i", "naa.52004567BA64678D", name(initiator, "naa.52004567BA64678D")},
	{"iscsi_i", "iqn." + strings.Repeat("x", 219), name(initiator, "iqn."+strings.Repeat("x", 219))},
	{"iscsi_i_ip", "10.1.1.165/255.255.255.192", address("10.1.1.165/26")},
	{"iscsi_i_ip", "10.1.1.165/26", address("10.1.1.165/26")},
	{"iscsi_i_ip", "10.1.1.165/255.255.255.255", address("10.1.1.165/32")},
	{"iscsi_i_ip", "10.1.1.165/128.0.0.0", address("10.1.1.165/1")},
	{"iscsi_i_ip", "2001:db8::5/64", address("2001:db8::5/64")},
	{"iscsi_if", "52-54-00-AA-bb-01", name(mac, "52:54:00:aa:bb:01")},
	{"iscsi_if", "enp0s31f6", name(iface, "enp0s31f6")},
	{"iscsi_if", "eth0.100", name(iface, "eth0.100")},
	{"iscsi_if", strings.Repeat("e", 15), name(iface, strings.Repeat("e", 15))},
	{"iscsi_gw", "10.1.1.129", gateway("10.1.1.129")},
	{"iscsi_gw", "fe80::1", gateway("fe80::1")},
	{"iscsi_t", "iqn.2007-01.com.example:storage.remote1", name(target, "iqn.2007-01.com.example:storage.remote1")},
	{"iscsi_t", "iqn.2001-04.com.example:stör", name(target, "iqn.2001-04.com.example:stör")},
	{"iscsi_a", "10.1.1.180", portal("10.1.1.180", 3260)},
	{"iscsi_a", "10.1.1.180:3261", portal("10.1.1.180", 3261)},
	{"iscsi_a", "2001:db8::1", portal("2001:db8::1", 3260)},
	{"iscsi_a", "2001:DB8:0::1", portal("2001:db8::1", 3260)},
	{"iscsi_a", "[2001:db8::1]", portal("2001:db8::1", 3260)},
	{"iscsi_a", "[2001:db8::1]:860", portal("2001:db8::1", 860)},
	{"iscsi_a", "[fe80::1%eth0]:860", portal("fe80::1%eth0", 860)},
	{"iscsi_a", "storage", portal("storage", 3260)},
	{"iscsi_a", "Storage_1.Example.com.:860", portal("Storage_1.Example.com.", 860)},
	{"iscsi_a", "10.1.1.180,10.1.2.180:3261,[::1],b", portals(bootspec.Portal{Host: "10.1.1.180", Port: 3260},
		bootspec.Portal{Host: "10.1.2.180", Port: 3261}, bootspec.Portal{Host: "::1", Port: 3260}, bootspec.Portal{Host: "b", Port: 3260})},
	{"iscsi_p", "1", aTarget}, // a port without an address
	{"iscsi_p", "65535", aTarget},
	{"iscsi_u", "machine 1", name(user, "machine 1")},
	{"iscsi_U", strings.Repeat("u", 255), name(targetUser, strings.Repeat("u", 255))},
	{"iscsi_w", "a secret=of mine", secret(ownSecret, "a secret=of mine")},
	{"iscsi_w", "0x00ff", secret(ownSecret, "\x00\xff")},
	{"iscsi_W", "0bAP8=", secret(targetSecret, "\x00\xff")},
	{"iscsi_chap_strict", "-", strict},
	{"iscsi_chap", "SHA256,sha3-256", name(algorithms, "SHA256,sha3-256")},
	{"iscsi_header_digest", "prefer", digest(header, iscsi.PreferDigest)},
	{"iscsi_header_digest", "accept", digest(header, iscsi.AcceptDigest)},
	{"iscsi_header_digest", "None,CRC32C", digest(header, iscsi.AcceptDigest)},
	{"iscsi_header_digest", "CRC32C,None", digest(header, iscsi.PreferDigest)},
	{"iscsi_data_digest", "require", digest(data, iscsi.RequireDigest)},
	{"iscsi_data_digest", "CRC32C", digest(data, iscsi.RequireDigest)},
	{"iscsi_data_digest", "none", digest(data, iscsi.NoDigest)},
	{"iscsi_mirror_tmo", "20", timer(mirror, 20*time.Second)},
	{"iscsi_mirror_tmo", "0", timer(mirror, 0)},
	{"iscsi_recovery_tmo", "1", timer(recovery, time.Second)},
	{"iscsi_recovery_tmo", "2147483", timer(recovery, 2147483*time.Second)},
	{"iscsi_recovery_tmo", "0", warned(timer(recovery, 0), " is 0: I/O on root fails as soon as the connection is lost: write 86400 to wait for a day")},
	{"iscsi_recovery_tmo", "-1", warned(timer(recovery, bootspec.Forever), " sets no limit: without its target the machine cannot shut down: write iscsi_shutdown_timeout=SECONDS to limit the shutdown")},
	{"iscsi_nop_interval", "0", timer(pingInterval, 0)},
	{"iscsi_nop_timeout", "0", timer(pingTimeout, 0)},
	{"iscsi_nop_timeout", "5", timer(pingTimeout, 5*time.Second)},
	{"iscsi_keep_address", "0", keepAddress(false)},
	{"iscsi_keep_address", "1", keepAddress(true)},
	{"nameserver", "10.1.1.1", nameserver("10.1.1.1")},
	{"nameserver", "[2001:db8::1]", nameserver("2001:db8::1")},
	{"iscsi_g", "0", group(0)},
	{"iscsi_g", "65535", group(65535)},
	{"iscsi_lun", "0", lun(0)},
	{"iscsi_lun", "255", lun(255 << 48)},
	{"iscsi_lun", "256", lun(0x4100 << 48)},
	{"iscsi_lun", "0x3fff", lun(0x7fff << 48)},
	{"iscsi_lun", "4752-3A4F-6b7e-2F99", lun(0x47523a4f6b7e2f99)},
	{"root", "/dev/sda2", device(0, 2)},
	{"root", "/dev/sdb", device(1, 0)},
	{"rootfstype", "ext2", name(fstype, "ext2")},
	{"rootfstype", "ext3", name(fstype, "ext3")},
	{"rootfstype", "ext4", name(fstype, "ext4")},
	{"rootfstype", "xfs,ext4", name(fstype, "xfs,ext4")},
	{"rootfstype", "bcachefs", name(fstype, "bcachefs")},
	{"rootfstype", "auto", nothing},
	{"root", `LABEL=my\x20root`, func(p *bootspec.Plan, source string) {
		p.Root.Device = from(bootspec.Device{By: bootspec.ByLabel, Text: "my root"}, source)
	}},
	{"rootfallback", "/dev/sda1", func(p *bootspec.Plan, source string) {
		p.Root.Fallbacks = append(p.Root.Fallbacks, from(bootspec.Device{Partition: 1}, source))
	}},
	{"rd.root.any", "-", anyDisk(true)},
	{"rd.root.any", "0", anyDisk(false)},
	{"rootwait", "-", wait(bootspec.Forever)},
	{"rootwait", "", wait(bootspec.Forever)},
	{"rootwait", "30", wait(30 * time.Second)},
	{"rootdelay", "3", func(p *bootspec.Plan, source string) { p.Root.Delay = from(3*time.Second, source) }},
	{"rootflags", "noatime,data=journal", name(flags, "noatime,data=journal")},
	{"ro", "-", readWrite(false)},
	{"rw", "-", readWrite(true)},
	{"init", "/sbin/init", name(initPath, "/sbin/init")},
	{"rd.timeout", "0", timeout(0)},
	{"rd.timeout", "90", timeout(90 * time.Second)},
	{"iscsi_shutdown_timeout", "60", shutdownTimeout(time.Minute)},
	{"rd.emergency", "reboot", emergency(bootspec.Reboot)},
	{"rd.emergency", "poweroff", emergency(bootspec.PowerOff)},
	{"rd.emergency", "halt", emergency(bootspec.Halt)},
	{"rd.break", "-", breaks("switch-root")},
	{"rd.break", "", breaks("switch-root")},
	{"rd.break", "login", breaks("login")},
	{"rd.break", "network,mount", breaks("network", "mount")},
	{"rd.shell", "-", name(shell, "")},
	{"rd.shell", "1", name(shell, "")},
	{"rd.shell", "/bin/bash", name(shell, "/bin/bash")},
	{"rd.shell", "0", nothing},
	{"rd.shell", "no", nothing},
	{"rd.shell.password", "$6$salt$sum", func(p *bootspec.Plan, _ string) { // see TestPolicy
		p.Warnings = []string{"rd.shell.password= is valid only in the image's policy, /etc/iscsiroot/policy: it is ignored"}
	}},
	{"modprobe.blacklist", "a,b", modules(bootspec.Modules{Blacklist: []string{"a", "b"}}, "modules not loaded for devices", "a,b")},
	{"module_blacklist", "a", modules(bootspec.Modules{Never: []string{"a"}}, "modules never loaded", "a")},
	{"rd.driver.pre", "a", modules(bootspec.Modules{Pre: []string{"a"}}, "modules loaded first", "a")},
	{"rd.driver.post", "a", modules(bootspec.Modules{Post: []string{"a"}, Blacklist: []string{"a"}}, "modules loaded last", "a")},
	{"rd.driver.blacklist", "a", modules(bootspec.Modules{Blacklist: []string{"a"}}, "modules not loaded for devices", "a")},
	{"rd.watchdog", "-", watchdog(true)},
	{"rd.watchdog", "0", watchdog(false)},
	{"rd.debug", "-", debug(true)},
	{"rd.debug", "1", debug(true)},
	{"rd.debug", "0", debug(false)},
	{"rd.debug", "no", debug(false)},
	{"rd.debug", "off", debug(false)},
	{"rd.lvm.lv", "vg-0/root", volumes("vg-0/root")},
	{"rd.lvm.lv", "/dev/vg0/root", volumes("vg0/root")},
	{"rd.lvm.vg", "vg0", volumes("vg0")},
	{"rd.lvm.system_id", "node-1", systemID("node-1")},
	{"rd.lvm", "0", noVolumes(true)},
	{"rd.lvm", "1", noVolumes(false)},
	{"rd_NO_LVM", "-", noVolumes(true)},
	{"dolvm", "-", nothing},
	{"rd.iscsiroot.ignore", "overlay,lvm", func(p *bootspec.Plan, source string) { p.Ignore = from("overlay,lvm", source) }},
	{"panic", "30", name(kernelPanic, "30")},
	{"panic", "-1", name(kernelPanic, "-1")},
}

func volumes(name string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.LVM.Names = append(p.Root.LVM.Names, from(name, source)) }
}

func noVolumes(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.LVM.Off = from(v, source) }
}

func systemID(id string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.LVM.SystemID = from(id, source) }
}

func modules(want bootspec.Modules, what, names string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Modules, p.ModuleLists = want, []bootspec.Setting{{What: what, Value: names, From: source}}
	}
}

// Every good value under every name of its parameter.
func TestParseGood(t *testing.T) {
	goods := slices.Concat(goods, netGoods, arrayGoods, multipathGoods)
	for _, row := range bootspec.Table() {
		if row.Key == "team" {
			continue // no part of it is valid
		}
		tested := 0
		for _, tt := range goods {
			if tt.key != row.Key {
				continue
			}
			tested++
			for _, key := range row.Names() {
				checkGood(t, key, tt)
			}
		}
		if tested == 0 {
			t.Errorf("parameter %s has no good value in this test", row.Key)
		}
	}
}

func checkGood(t *testing.T, key string, tt good) {
	t.Helper()
	text := key + "=" + tt.value
	if strings.Contains(tt.value, " ") {
		text = key + `="` + tt.value + `"`
	}
	source := key + "="
	if tt.value == "-" {
		text, source = key, key
	}
	var want bootspec.Plan
	tt.want(&want, source)
	got, err := parse(text)
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("%s: -want +got:\n%s", text, diff)
	}
}
