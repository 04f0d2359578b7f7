package bootspec_test

import (
	"net/netip"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func mac(p *bootspec.Plan) *bootspec.Value[string] { return &p.Net.MAC }

func clientID(p *bootspec.Plan) *bootspec.Value[string] { return &p.Net.ClientID }

func route(to, via, device string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		r := bootspec.NetRoute{To: netip.MustParsePrefix(to), Device: device}
		if via != "" {
			r.Via = netip.MustParseAddr(via)
		}
		p.Net.Routes = []bootspec.Value[bootspec.NetRoute]{from(r, source)}
	}
}

func vlan(name, parent string, id uint16) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Net.Interface = from(name, source) // no other source has one
		p.Net.VLANs = []bootspec.Value[bootspec.VLAN]{from(bootspec.VLAN{Name: name, Parent: parent, ID: id}, source)}
	}
}

func netGroup(kind, name, options string, mtu int, members ...string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Net.Interface = from(name, source)
		p.Net.Groups = []bootspec.Value[bootspec.Group]{from(bootspec.Group{Kind: kind, Name: name, Members: members, Options: options, MTU: mtu}, source)}
	}
}

// implicitDHCP is what dracut does without a word of an address.
func implicitDHCP(p *bootspec.Plan, source string) {
	p.Net.IP = []bootspec.Value[bootspec.IP]{from(bootspec.IP{Methods: []bootspec.Method{bootspec.DHCP}}, source+" without ip=")}
}

// openISCSI is for a value that comes from a setting of open-iscsi.
func openISCSI(name string, want func(*bootspec.Plan, string)) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { want(p, source+name+"=") }
}

// netGoods are goods of the network and of dracut's and Debian's names.
var netGoods = []good{
	{"ip", "10.1.1.165::10.1.1.129:26:a:eth1:none", func(p *bootspec.Plan, source string) {
		p.Net = bootspec.Net{
			Interface: from("eth1", source), Address: from(netip.MustParsePrefix("10.1.1.165/26"), source),
			Gateway: from(netip.MustParseAddr("10.1.1.129"), source), HostName: from("a", source),
			IP: []bootspec.Value[bootspec.IP]{from(bootspec.IP{
				Methods: []bootspec.Method{bootspec.Static}, Device: "eth1", Address: netip.MustParsePrefix("10.1.1.165/26"),
				Gateway: netip.MustParseAddr("10.1.1.129"), HostName: "a",
			}, source)},
		}
	}},
	{"BOOTIF", "01-52-54-00-AA-bb-01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "52:54:00:AA:bb:01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "20-ab", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + "20-ab is not a MAC and is ignored"}
	}},
	{"BOOTIF", "01-52:54:00:AA:bb:01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "06:52-54-00-AA-bb-01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "525400AAbb01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "01525400AAbb01", name(mac, "52:54:00:aa:bb:01")},
	{"BOOTIF", "xx-52-54-00-aa-bb-01", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + "xx-52-54-00-aa-bb-01 is not a MAC and is ignored"}
	}},
	{"rd.bootif", "0", nothing},
	{"ip", "", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + " has no value and is ignored"}
	}},
	{"bootdev", "eth1", func(p *bootspec.Plan, source string) {
		p.Net.BootDevice, p.Net.Interface = from("eth1", source), from("eth1", source)
	}},
	{"bootdev", "52-54-00-aa-bb-01", func(p *bootspec.Plan, source string) {
		p.Net.BootDevice, p.Net.MAC = from("52:54:00:aa:bb:01", source), from("52:54:00:aa:bb:01", source)
	}},
	{"ksdevice", "bootif", nothing},
	{"ksdevice", "eth1", func(p *bootspec.Plan, source string) {
		p.Net.BootDevice, p.Net.Interface = from("eth1", source), from("eth1", source)
	}},
	{"netmask", "255.255.255.0", nothing}, // alone
	{"mtu", "9000", func(p *bootspec.Plan, source string) { p.Net.BootMTU = from(9000, source) }},
	{"net.ifnames", "0", func(p *bootspec.Plan, source string) { p.Net.KeepNames = from(true, source) }},
	{"net.ifnames", "1", func(p *bootspec.Plan, source string) { p.Net.KeepNames = from(false, source) }},
	{"hostname", "a.b", func(p *bootspec.Plan, source string) { p.Net.HostName = from("a.b", source) }},
	{"hostname", "a b", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{`"` + source + `a b" is not a host name and is ignored`}
	}},
	{"ifname", "boot0:52:54:00:AA:bb:01", func(p *bootspec.Plan, source string) {
		p.Net.Names = []bootspec.Value[bootspec.NICName]{from(bootspec.NICName{Name: "boot0", MAC: "52:54:00:aa:bb:01"}, source)}
	}},
	{"rd.route", "10.2.0.0/16:10.1.1.1:eth0", route("10.2.0.0/16", "10.1.1.1", "eth0")},
	{"rd.route", "10.2.3.4/16:10.1.1.1", route("10.2.0.0/16", "10.1.1.1", "")},
	{"rd.route", "[2001:db8::/32]:[2001:db8::1]:ens3", route("2001:db8::/32", "2001:db8::1", "ens3")},
	{"rd.route", "0.0.0.0/0::eth0", route("0.0.0.0/0", "", "eth0")},
	{"rd.route", "10.2.0.0/16:10.1.1.1:52-54-00-AA-bb-01", route("10.2.0.0/16", "10.1.1.1", "52:54:00:aa:bb:01")},
	{"vlan", "vlan5:52-54-00-aa-bb-01", vlan("vlan5", "52:54:00:aa:bb:01", 5)},
	{"bridge", "b:52-54-00-aa-bb-01,a1", netGroup("bridge", "b", "", 0, "52:54:00:aa:bb:01", "a1")},
	{"vlan", "vlan0005:eth0", vlan("vlan0005", "eth0", 5)},
	{"vlan", "eth0.0100:eth0", vlan("eth0.0100", "eth0", 100)},
	{"vlan", "bond0.4094:bond0", vlan("bond0.4094", "bond0", 4094)},
	{"bond", "-", netGroup("bond", "bond0", "mode=balance-rr", 0, "eth0", "eth1")},
	{"bond", "b:a0,a1:mode=active-backup,primary=a1:9000", netGroup("bond", "b", "mode=active-backup,primary=a1", 9000, "a0", "a1")},
	{"bond", "b:a0:mode=4,ad_actor_system=02:11:22:33:44:55", netGroup("bond", "b", "mode=4,ad_actor_system=02:11:22:33:44:55", 0, "a0")},
	{"bond", "b:a0:mode=4,ad_actor_system=02:11:22:33:44:55:9000", netGroup("bond", "b", "mode=4,ad_actor_system=02:11:22:33:44:55", 9000, "a0")},
	{"bridge", "-", netGroup("bridge", "br0", "", 0, "eth0")},
	{"bridge", "b:a0,a1", netGroup("bridge", "b", "", 0, "a0", "a1")},
	{"rd.neednet", "1", func(p *bootspec.Plan, source string) { p.Net.Need = from(true, source) }},
	{"rd.peerdns", "0", func(p *bootspec.Plan, source string) { p.Net.PeerDNS = from(false, source) }},
	{"rd.net.timeout.dhcp", "10", func(p *bootspec.Plan, source string) {
		p.Net.Timeouts = []bootspec.Value[bootspec.Timeout]{from(bootspec.Timeout{Name: "dhcp", Limit: 10 * time.Second}, source)}
	}},
	{"iscsi_dhcp_id", "01:52:54:00:aa:bb:01", name(clientID, "01:52:54:00:aa:bb:01")},
	{"iscsi_dhcp_id", "mac", name(clientID, "mac")},
	{"iscsi_dhcp_id", "MAC", name(clientID, "mac")},
	{"iscsi_dhcp_id", "0,machine1", name(clientID, "0,machine1")},
	{"rd.net.timeout.carrier", "10", func(p *bootspec.Plan, source string) {
		key := strings.TrimSuffix(strings.TrimPrefix(source, "rd.net.timeout."), "=")
		p.Net.Timeouts = []bootspec.Value[bootspec.Timeout]{from(bootspec.Timeout{Name: key, Limit: 10 * time.Second}, source)}
	}},
	{"netroot", "iscsi:u:sesame-open-12@[2001:db8::1]::3261::eth1:10:iqn.x:y", func(p *bootspec.Plan, source string) {
		implicitDHCP(p, source)
		p.Net.Interface = from("eth1", source)
		p.Targets = []bootspec.Target{{
			Name: from("iqn.x:y", source), LUN: from(iscsi.LUN(10<<48), source),
			Portals: []bootspec.Value[bootspec.Portal]{from(bootspec.Portal{Host: "2001:db8::1", Port: 3261}, source)}, PortalNICs: []bootspec.Value[bootspec.NIC]{from(bootspec.NIC{Name: "eth1"}, source)},
			CHAP: bootspec.CHAP{User: from("u", source), Secret: from(iscsi.NewSecret([]byte("sesame-open-12")), source)},
		}}
		p.Warnings = []string{"all users of this machine can read the secret in " + source + " in /proc/cmdline: put it into /etc/iscsiroot/credentials in the image, mode 0600"}
	}},
	{"netroot", "iscsi", func(p *bootspec.Plan, source string) { p.Firmware = from(true, source) }},
	{"netroot", "dhcp", func(p *bootspec.Plan, source string) {
		implicitDHCP(p, source)
		p.ByDHCP = from(true, source)
	}},
	{"root", "dhcp", func(p *bootspec.Plan, source string) {
		implicitDHCP(p, source)
		p.ByDHCP = from(true, source)
	}},
	{"iscsiroot", "10.1.1.180::::iqn.x:y", func(p *bootspec.Plan, source string) {
		implicitDHCP(p, source)
		p.Targets = []bootspec.Target{{
			Name: from("iqn.x:y", source), Portals: []bootspec.Value[bootspec.Portal]{from(bootspec.Portal{Host: "10.1.1.180", Port: 3260}, source)},
		}}
	}},
	{"rd.iscsi.firmware", "-", func(p *bootspec.Plan, source string) { p.Firmware = from(true, source) }},
	{"rd.iscsi.firmware", "0", func(p *bootspec.Plan, source string) { p.Firmware = from(false, source) }},
	{"rd.iscsi.ibft", "1", func(p *bootspec.Plan, source string) {
		p.Net.IP = []bootspec.Value[bootspec.IP]{from(bootspec.IP{Methods: []bootspec.Method{bootspec.Firmware}}, source)}
	}},
	{"rd.iscsi.ibft", "0", nothing},
	{"rd.iscsi.mp", "-", nothing}, // see TestFirmware
	{"rd.iscsi.param", "node.conn[0].iscsi.DataDigest=CRC32C", openISCSI("node.conn[0].iscsi.DataDigest", digest(data, iscsi.RequireDigest))},
	{"rd.iscsi.param", "node.session.timeo.replacement_timeout=30", openISCSI("node.session.timeo.replacement_timeout", timer(recovery, 30*time.Second))},
	{"rd.iscsi.param", "node.conn[0].timeo.noop_out_interval=0", openISCSI("node.conn[0].timeo.noop_out_interval", timer(pingInterval, 0))},
	{"rd.iscsi.param", "node.conn[0].timeo.noop_out_timeout=7", openISCSI("node.conn[0].timeo.noop_out_timeout", timer(pingTimeout, 7*time.Second))},
	{"rd.iscsi.param", "node.session.timeo.abort_timeout=30", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + "node.session.timeo.abort_timeout has no effect"}
	}},
	{"rd.iscsi.login_retry_max", "3", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + " is ignored: rd.timeout= limits how long a login is retried"}
	}},
	{"iscsi_noibft", "-", func(p *bootspec.Plan, source string) { p.Firmware = from(false, source) }},
	{"iscsi_noibft", "0", nothing},
	{"doscsi", "-", nothing},
	{"rd.iscsi.waitnet", "0", nothing},
	{"rd.iscsi.testroute", "0", nothing},
	{"rd.iscsi.transport", "tcp", nothing},
}
