package bootspec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// bads are values that are refused and the parts of the error besides the key, the value and the
// place: the cause and what to write.
var bads = []struct{ key, value, cause, write string }{
	{"iscsi_i", "", "the name is empty", "iqn.2007-01.com.example:server.remote1"},
	{"iscsi_i", "iqn." + strings.Repeat("x", 220), "more than 223 bytes", "iqn."},
	{"iscsi_i", `"iqn.2001-04.com.example:a b"`, "a blank or a control character", "iqn."},
	{"iscsi_t", "iqn.2001-04.com.example:\x01", "a blank or a control character", "iqn."},
	{"iscsi_t", "iqn.2001-04.com.example:\xff", "a blank or a control character", "iqn."},
	{"iscsi_t", "iqn.2001-04.com.example:\x7f", "a blank or a control character", "iqn."},
	{"iscsi_i_ip", "10.1.1.165", "the mask is missing", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1/24", "not an IP address", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.256/24", "not an IP address", "10.1.1.165/26"},
	{"iscsi_i_ip", "fe80::1%eth0/64", "not an IP address", "10.1.1.165/26"},
	{"iscsi_i_ip", "::ffff:10.1.1.1/120", "not an IP address", "10.1.1.165/26"},
	{"iscsi_i_ip", "0.0.0.0/24", "not a host address", "10.1.1.165/26"},
	{"iscsi_i_ip", "127.0.0.1/8", "not a host address", "10.1.1.165/26"},
	{"iscsi_i_ip", "224.0.0.1/24", "not a host address", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/0", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/33", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "2001:db8::5/129", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/255.0.255.0", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/0.0.0.0", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "2001:db8::5/255.255.255.0", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_i_ip", "10.1.1.165/ffff::", "neither a netmask nor a prefix length", "10.1.1.165/26"},
	{"iscsi_if", "", "not an interface name", "eth0"},
	{"iscsi_if", strings.Repeat("e", 16), "not an interface name", "15 bytes"},
	{"iscsi_if", "../eth0", "not an interface name", "eth0"},
	{"iscsi_gw", "router", "not a gateway address", "10.1.1.1"},
	{"iscsi_gw", "0.0.0.0", "not a gateway address", "10.1.1.1"},
	{"iscsi_gw", "::ffff:10.1.1.1", "not a gateway address", "10.1.1.1"},
	{"iscsi_gw", "fe80::1%eth0", "not a gateway address", "10.1.1.1"},
	{"iscsi_a", "", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.256", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "0.0.0.0", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "224.0.0.1", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.180:0", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.180:65536", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.180:", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "[10.1.1.180]", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "[2001:db8::1", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "2001:db8::1]", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "[2001:db8::1]860", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "-a", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "a..b", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "stör", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "a/b", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.180,", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", "10.1.1.180,,a", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", strings.Repeat("a.", 127) + "a", "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", strings.Repeat("a", 64), "not the address of a portal", "10.1.1.180"},
	{"iscsi_a", strings.Repeat("a,", 16) + "a", "not the address of a portal", "10.1.1.180"},
	{"nameserver", "dns.example.com", "not the address of a name server", "10.1.1.1"},
	{"nameserver", "0.0.0.0", "not the address of a name server", "10.1.1.1"},
	{"ip", "10.1.1.165::::::nonsense", "nonsense is not a method", "ip=dhcp"},
	{"ip", "nonsense", "nonsense is not a method", "ip=dhcp"},
	{"ip", "dhcp5", "dhcp5 is not a method", "ip=dhcp"},
	{"ip", "10.1.1.300", "10.1.1.300 is not a method", "ip=dhcp"},
	{"ip", ":::::10.1.1.5:dhcp", "10.1.1.5 is not a NIC name", "ip=dhcp"},
	{"ip", "eth0:dhpc", "dhpc is not a method", "ip=dhcp"},
	{"ip", "rarp", "RARP is not supported: use dhcp", "ip=dhcp"},
	{"ip", "eth0:RARP", "RARP is not supported: use dhcp", "ip=dhcp"},
	{"ip", ":::::eth0:rarp", "RARP is not supported: use dhcp", "ip=dhcp"},
	{"ip", "2001:db8::5::::eth0:none", "", "brackets"},
	{"ip", "10.1.1.165:::255.0.255.0::eth0:none", "neither a netmask nor a prefix length", "ip=dhcp"},
	{"ip", "10.1.1.165/33", "not a prefix length", "ip=dhcp"},
	{"ip", "127.0.0.1:::8::eth0:none", "not a host address", "ip=dhcp"},
	{"ip", "10.1.1.165::gw:24::eth0:none", "the gateway gw is not an address", "ip=dhcp"},
	{"ip", "10.1.1.165:10.1.1/24::24::eth0:none", "the peer 10.1.1/24 is not an address", "ip=dhcp"},
	{"ip", "10.1.1.165:10.1.1.1/33::24::eth0:none", "the peer's length 33 is not a prefix length", "ip=dhcp"},
	{"ip", "eth0/1:dhcp", "not a NIC name", "ip=dhcp"},
	{"ip", "eth0:dhcp:67", "neither an MTU", "ip=dhcp"},
	{"ip", "eth0:dhcp:1500:52:54:00:12:34", "52:54:00:12:34 is not a MAC", "ip=dhcp"},
	{"ip", "eth0:dhcp:10.1.1.1:10.1.1.2:10.1.1.3:10.1.1.4", "4 parts after the method", "ip=dhcp"},
	{"ip", "eth0:dhcp:10.1.1.1:dns", "dns is not a name server address", "ip=dhcp"},
	{"ip", "eth0:dhcp,off", "cannot be combined", "ip=dhcp"},
	{"ip", strings.Repeat(":", 30), "31 parts, limit 20", "ip=dhcp"},
	{"ip", "dhcp,256,a", "type is not a number from 0 to 255", "ip=dhcp"},
	{"ip", "eth0\xff:dhcp", "not a NIC name", "ip=dhcp"},
	{"iscsi_dhcp_id", "01", "has 1 bytes", "TYPE,TEXT"},
	{"iscsi_dhcp_id", "01:xy", "neither hex nor TYPE,TEXT", "TYPE,TEXT"},
	{"iscsi_dhcp_id", "0," + strings.Repeat("a", 255), "has 256 bytes", "TYPE,TEXT"},
	{"iscsi_dhcp_id", "\xff\xfe,\x01", "type is not a number", "TYPE,TEXT"},
	{"bootdev", "a/b", "not a NIC", "eth0"},
	{"ksdevice", "a/b", "not a NIC", "eth0"},
	{"netmask", "255.0.255.0", "not a netmask", "255.255.255.0"},
	{"mtu", "67", "not an MTU", "68 to 65535"},
	{"ifname", "boot0:52:54:00", "not a name and MAC", "NAME:MAC"},
	{"rd.route", "10.2.0.0/16", "not a route", "brackets"},
	{"rd.route", "10.2.0.0:10.1.1.1", "has no length", "brackets"},
	{"rd.route", "a/8:10.1.1.1", "is not an address", "brackets"},
	{"rd.route", "10.2.0.0/16:a", "the gateway is not an address", "brackets"},
	{"rd.route", "10.2.0.0/16::a/b", "not a NIC name", "brackets"},
	{"vlan", "vlan5", "not a VLAN", "vlan5:eth0"},
	{"vlan", "vlan4095:eth0", "from 1 to 4094", "vlan5:eth0"},
	{"vlan", "storage:eth0", "from 1 to 4094", "vlan5:eth0"},
	{"bond", "bond0:a,,b", "not a bond", "active-backup"},
	{"bond", "bond0:a::67", "the MTU", "active-backup"},
	{"bridge", "br0", "not a bridge", "br0:eth0"},
	{"team", "team0:a", "team devices are not supported", "bond="},
	{"netroot", "nfs:10.1.1.1:/x", "only iSCSI", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180", "no colon after the host", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180:", "the target's name is missing", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::x::iqn.x:y", "the port is not a number", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::0::iqn.x:y", "the port is not a number", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180:17:::iqn.x:y", "the protocol is not TCP", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180:3260:1:iqn.x:y", "the protocol is not TCP", "iscsi:"},
	{"iscsiroot", "10.1.1.180:udp:::iqn.x:y", "the protocol is not TCP", "iscsi:"},
	{"root", "iscsi:10.1.1.180:iser:::iqn.x:y", "the protocol is not TCP", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180:::x:iqn.x:y", "the LUN", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::::a/b:1:iqn.x:y", "not a NIC name", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::::a:b:c:1:iqn.x:y", "7 parts", "iscsi:"},
	{"netroot", "iscsi:::::iqn.x:y", "the host", "iscsi:"},
	{"netroot", "iscsi:2001:db8::1::::iqn.x:y", "the host", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::::iqn." + strings.Repeat("x", 220), "more than 223 bytes", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::::iqn." + strings.Repeat("x", 2048), "more than 2048 bytes", "iscsi:"},
	{"netroot", "iscsi:10.1.1.180::::iqn.x\x01", "a control character", "iscsi:"},
	{"iscsiroot", "10.1.1.180", "no colon after the host", "iscsi:"},
	{"root", "iscsi:10.1.1.180", "no colon after the host", "iscsi:"},
	{"rd.iscsi.param", "node", "not a setting", "NAME=VALUE"},
	{"rd.iscsi.param", "node.session.auth.password=sesame-open-12", "node.session.auth.password=[redacted] (byte 6", "iscsi_w="},
	{"rd.iscsi.param", "node.session.auth.password_in:sesame-open-12", "node.session.auth.password_in=[redacted] (byte 6", "iscsi_w="},
	{"rd.iscsi.param", "node.conn[0].timeo.noop_out_interval=x", "=node.conn[0].timeo.noop_out_interval=x (byte 6", "0 for no pings"},
	{"rd.iscsi.param", "node.session.timeo.replacement_timeout=long", "=node.session.timeo.replacement_timeout=long (byte 6", "-1 to wait without limit"},
	{"rd.iscsi.param", "node.conn[0].iscsi.DataDigest=maybe", "=node.conn[0].iscsi.DataDigest=maybe (byte 6", "prefer"},
	{"rd.iscsi.transport", "bnx2i", "no offload", "tcp"},
	{"iscsi_u", "", "not a user", "255 bytes"},
	{"iscsi_U", strings.Repeat("u", 256), "not a user", "255 bytes"},
	{"iscsi_chap", "md4", "not a list of CHAP algorithms", "sha3-256"},
	{"iscsi_chap", "md5,", "not a list of CHAP algorithms", "sha3-256"},
	{"iscsi_chap", "", "not a list of CHAP algorithms", "sha3-256"},
	{"iscsi_header_digest", "yes", "not a digest policy", "prefer"},
	{"iscsi_data_digest", "", "not a digest policy", "prefer"},
	{"iscsi_recovery_tmo", "2147484", "this is not a time", "1 to 2147483, 0 to fail I/O immediately, or -1"},
	{"iscsi_mirror_tmo", "-1", "this is not a time", "1 to 2147483, or 0 to let arrays wait as other disks do"},
	{"iscsi_recovery_tmo", "-", "this is not a time", "1 to 2147483, 0 to fail I/O immediately, or -1"},
	{"iscsi_recovery_tmo", "--1", "this is not a time", "1 to 2147483, 0 to fail I/O immediately, or -1"},
	{"iscsi_nop_interval", "2147484", "this is not a time", "1 to 2147483, or 0 for no pings"},
	{"iscsi_nop_timeout", "-1", "this is not a time", "1 to 2147483, or 0 for no pings"},
	{"iscsi_nop_timeout", "", "this is not a time", "1 to 2147483, or 0 for no pings"},
	{"iscsi_multipath", "ens2,off", "it is on and off", "35000c500a1b2c3d4"},
	{"iscsi_multipath", "ens2,,ens3", "an entry of the list is empty", "wwid:WWID"},
	{"iscsi_multipath", "ens2,storage-network-1", "storage-network-1 is neither a NIC nor a WWID", "wwid:WWID"},
	{"iscsi_multipath", "wwid:x", "x is not a WWID", "wwid:WWID"},
	{"iscsi_multipath", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 NICs or WWIDs", "fewer"},
	{"iscsi_p", "0", "not a TCP port", "1 to 65535"},
	{"iscsi_p", "65536", "not a TCP port", "1 to 65535"},
	{"iscsi_p", "iscsi", "not a TCP port", "1 to 65535"},
	{"iscsi_p", "-1", "not a TCP port", "1 to 65535"},
	{"iscsi_g", "65536", "not a target portal group tag", "0 to 65535"},
	{"iscsi_g", "", "not a target portal group tag", "0 to 65535"},
	{"iscsi_lun", "65536", "not a LUN", "4752-3a4f"},
	{"iscsi_lun", "", "not a LUN", "4752-3a4f"},
	{"iscsi_lun", "0x", "not a LUN", "4752-3a4f"},
	{"iscsi_lun", "-1", "not a LUN", "4752-3a4f"},
	{"iscsi_lun", "1-2-3-4-5", "not a LUN", "4752-3a4f"},
	{"root", "", "form of a root device", "/dev/sdXN"},
	{"root", "/dev/nfs", "an NFS root is not supported", "/dev/sdXN"},
	{"root", "/dev/mapper/root", "a device of the device mapper other than a logical volume or a multipath map is not supported", "/dev/sdXN"},
	{"root", "/dev/mapper/data2", "a device of the device mapper other than a logical volume or a multipath map is not supported", "/dev/mapper/WWID-partN"},
	{"root", "/dev/vg0/root/a", "form of a root device", "/dev/VG/LV"},
	{"root", "/dev/md/", "this form of a root device is not supported", "/dev/md/NAME"},
	{"root", "ZFS=tank/root", "ZFS is not supported", "/dev/sdXN"},
	{"root", "live:LABEL=cd", "a live system in an image file is not supported", "/dev/sdXN"},
	{"root", "/dev/ramdisk", "form of a root device", "/dev/sdXN"},
	{"root", "/dev/vda1", "not an iSCSI disk", "rd.root.any"},
	{"rootfallback", "LABEL=", "form of a root device", "LABEL="},
	{"rootwait", "long", "not a time", "seconds"},
	{"rootdelay", "-1", "not a time", "seconds"},
	{"rootdelay", "", "not a time", "seconds"},
	{"rootfstype", "ext4,", "not a file system", "ext4"},
	{"rootfstype", "EXT4", "not a file system", "ext4"},
	{"rootfstype", "ext4,auto", "not a file system", "ext4"},
	{"rootfstype", "", "not a file system", "ext4"},
	{"init", "", "this is not a path", "/sbin/init"},
	{"init", "sbin/init", "this is not a path", "/sbin/init"},
	{"rd.timeout", "", "this is not a time", "seconds"},
	{"rd.timeout", "1m", "this is not a time", "seconds"},
	{"rd.timeout", "-1", "this is not a time", "seconds"},
	{"rd.timeout", "2147483648", "this is not a time", "seconds"},
	{"iscsi_shutdown_timeout", "soon", "this is not a time", "seconds"},
	{"rd.emergency", "shutdown", "unknown action", "reboot, poweroff or halt"},
}

// Every refused value names the key as it was written, alias or not, the value, the place in the
// line, the cause and what to write.
func TestParseBad(t *testing.T) {
	names := map[string][]string{}
	for _, row := range bootspec.Table() {
		names[row.Key] = row.Names()
	}
	for _, tt := range bads {
		for _, key := range names[tt.key] {
			if key == "rootdev" {
				continue // a warning: it is a board's boot loader's
			}
			text := "quiet " + key + "=" + tt.value
			plan, err := parse(text)
			var bad *bootspec.ParamError
			if !errors.As(err, &bad) {
				t.Errorf("%s: error is %v, want a ParamError", text, err)
				continue
			}
			for _, want := range []string{"parameter ", key + "=", "byte 6", tt.cause, ": write ", tt.write} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %q does not say %q", text, err, want)
				}
			}
			if diff := cmp.Diff(bootspec.Plan{}, plan, equal); diff != "" {
				t.Errorf("%s: refused, but the plan has it: %s", text, diff)
			}
		}
	}
}

// The error of a parameter without its value has the form of the value.
func TestParseNeedsValue(t *testing.T) {
	for _, row := range bootspec.Table() {
		_, err := parse("ro " + row.Key)
		if row.Value == "" || row.Value[0] == '[' {
			if refused := row.Key == "team"; (err != nil) != refused {
				t.Errorf("%s: %v", row.Key, err)
			}
			continue
		}
		want := "parameter " + row.Key + " (byte 3 of the command line): it has no value: write " + row.Key + "=" + row.Value
		if err == nil || err.Error() != want {
			t.Errorf("%s: error is %v, want %s", row.Key, err, want)
		}
	}
}

// All mistakes are named at once, and what is right stays in the plan.
func TestParseJoinsErrors(t *testing.T) {
	plan, err := parse("iscsi_a=1.2 rd.emergency=halt iscsi_p=0 iscsi_t")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error is %v, want three lines", err)
	}
	if plan.Policy.Emergency.V != bootspec.Halt {
		t.Errorf("emergency is %+v, want halt", plan.Policy.Emergency)
	}
}

// A long value is cut in the message.
func TestErrorIsShort(t *testing.T) {
	for _, text := range []string{
		"iscsi_a=" + strings.Repeat("1", 2000),
		"iscsi_" + strings.Repeat("x", 2000) + "=1",
		"iscsi_t=" + strings.Repeat("x", 223),
		"rootflags=a rootflags=" + strings.Repeat("x", 2000),
		"ro=" + strings.Repeat("x", 2000),
	} {
		plan, err := parse(text)
		messages := plan.Warnings
		if err != nil {
			messages = append(messages, err.Error())
		}
		if len(messages) != 1 || len(messages[0]) > 300 {
			t.Errorf("%.20s...: messages %q, want one line of at most 300 bytes", text, messages)
		}
	}
}

// A hundred lines of ip= are one message, and those that are used are all in the plan.
func TestHundredLines(t *testing.T) {
	text := "iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.1.1.180"
	for i := range 100 {
		text += fmt.Sprintf(" ip=eth%d:dhcp", i)
	}
	plan, err := parse(text)
	if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "ip=eth16:dhcp") || !strings.Contains(err.Error(), "more than 16 lines of ip=") {
		t.Errorf("error %v", err)
	}
	if lines := plan.Net.Lines(); len(lines) != 16 || lines[0].V.Device != "eth0" {
		t.Errorf("%d lines, %v", len(lines), lines)
	}
}
