package bootspec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Command lines from the field, each with what a boot by it does.

// MAAS and initramfs-tools name the NIC by the word BOOTIF.
func TestMAASLine(t *testing.T) {
	for _, line := range []string{
		"nomodeset iscsi_target_name=iqn.2007-01.com.example:storage.remote1 iscsi_target_ip=10.77.0.1 iscsi_target_port=3260 iscsi_initiator=maas-enlist " +
			"ip=::::maas-enlist:BOOTIF ip6=off ro root=/dev/disk/by-path/ip-10.77.0.1:3260-iscsi-iqn.2007-01.com.example:storage.remote1-lun-1-part2 " +
			"cc:{'datasource_list': ['MAAS']}end_cc BOOTIF=01-52-54-00-77-00-01",
		"ip=::::maas-enlist:BOOTIF:dhcp BOOTIF=01-52:54:00:77:00:01 iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_a=10.77.0.1",
	} {
		p, err := parse(line)
		if err != nil || p.Check() != nil || lines(p) != "::::maas-enlist:52-54-00-77-00-01:dhcp" || p.Net.MAC.V != bootMAC || p.Net.HostName.V != "maas-enlist" {
			t.Errorf("%s: %s, %v, %v, %v", line, lines(p), p.Net.MAC, err, p.Check())
		}
	}
}

// IPAPPEND on a network of two addresses: the boot server is behind the gateway.
func TestNetworkOfTwoByIPAPPEND(t *testing.T) {
	p, err := parse("ip=10.99.0.3:203.0.113.3:10.99.0.2:255.255.255.254 BOOTIF=01-52-54-00-77-00-01 rd.iscsi.initiator=iqn.2007-01.com.example:server.remote1 " +
		"netroot=iscsi:192.0.2.1::::iqn.2007-01.com.example:storage.remote1 root=UUID=6b656e63-0000-4000-8000-000000000002 ro")
	_, warnings, more := p.Preview(p.Net.Facts())
	if err != nil || more != nil || len(warnings)+len(p.Warnings) > 0 || lines(p) != "10.99.0.3/31::10.99.0.2:::52-54-00-77-00-01:static" {
		t.Errorf("%s, %v, %v, %q", lines(p), err, more, warnings)
	}
}

// What open-iscsi's README recommends for root (section 8.2), and its own way to write that.
func TestTimersOfOpenISCSI(t *testing.T) {
	const line = "ip=dhcp netroot=iscsi:192.0.2.1::::iqn.2007-01.com.example:a root=LABEL=root rd.iscsi.initiator=iqn.2007-01.com.example:i "
	for _, tt := range []struct {
		words    string
		recovery time.Duration
		noPings  bool
		want     string
	}{
		{"rd.iscsi.param=node.conn[0].timeo.noop_out_interval=0 rd.iscsi.param=node.conn[0].timeo.noop_out_timeout=0 rd.iscsi.param=node.session.timeo.replacement_timeout=86400", 86400 * time.Second, true, ""},
		{"iscsi_nop_interval=0 iscsi_nop_timeout=0 iscsi_recovery_tmo=86400", 86400 * time.Second, true, ""},
		{"iscsi_nop_interval=0", 0, true, ""},
		{"iscsi_nop_timeout=0", 0, true, ""},
		{"iscsi_nop_interval=5 iscsi_param=node.conn[0].timeo.noop_out_timeout=0", 0, true, "iscsi_nop_interval= is ignored: iscsi_param=node.conn[0].timeo.noop_out_timeout= is 0, which switches pings off"},
		{"iscsi_nop_interval=0 iscsi_nop_timeout=5", 0, true, "iscsi_nop_timeout= is ignored: iscsi_nop_interval= is 0"},
		{"iscsi_nop_interval=5 iscsi_nop_timeout=5", 0, false, ""},
		{"iscsi_param=node.session.timeo.replacement_timeout=-1", bootspec.Forever, false, "iscsi_param=node.session.timeo.replacement_timeout= sets no limit"},
		{"iscsi_recovery_tmo=-1 iscsi_shutdown_timeout=60", bootspec.Forever, false, ""},
		{"iscsi_recovery_tmo=0 iscsi_recovery_tmo=60", time.Minute, false, "iscsi_recovery_tmo is given twice"},
		{"rd.iscsi.param=node.session.timeo.replacement_timeout=0", 0, false, "rd.iscsi.param=node.session.timeo.replacement_timeout= is 0: I/O on root fails"},
	} {
		p, err := parse(line + tt.words)
		warnings := strings.Join(p.Warnings, "\n")
		if err != nil || p.Login.Timers.Recovery.V != tt.recovery || p.Login.Timers.NoPings() != tt.noPings || !strings.Contains(warnings, tt.want) || tt.want == "" && warnings != "" || len(p.Warnings) > 1 {
			t.Errorf("%s: %v, timers %+v, %q", tt.words, err, p.Login.Timers, p.Warnings)
		}
		if text := strings.Join(p.Explain(), "\n"); strings.Contains(text, "pings off") != tt.noPings || strings.Contains(text, "I/O waits for the target without limit") != (tt.recovery == bootspec.Forever) {
			t.Errorf("%s: explained as %s", tt.words, text)
		}
	}
}

// The protocol by its name, in every place of a root path.
func TestProtocolByName(t *testing.T) {
	const target = "iqn.2007-01.com.example:storage.remote1"
	for _, tt := range []struct{ line, path string }{
		{"root=/dev/sda2 netroot=dhcp ip=dhcp", "iscsi:10.77.0.1:tcp:3260:1:" + target},
		{"root=/dev/sda2 netroot=dhcp ip=dhcp", "iscsi:10.77.0.1:TCP::1:" + target},
		{"root=/dev/sda2 ip=dhcp netroot=iscsi:10.77.0.1:tcp:3260:1:" + target, ""},
		{"root=/dev/sda2 ip=dhcp iscsiroot=10.77.0.1:Tcp::1:" + target, ""},
		{"ip=dhcp root=iscsi:10.77.0.1:6:3260:1:" + target, ""},
	} {
		p, err := parse(tt.line + " iscsi_i=iqn.x:m")
		if err != nil {
			t.Error(err)
		}
		spec, _, err := p.Resolve(bootspec.NetFacts{RootPath: tt.path})
		if err != nil || len(spec.Targets) != 1 || spec.Targets[0].Name.V != target || spec.Targets[0].Portals[0].V.String() != "10.77.0.1:3260" || spec.Targets[0].LUN.V != 1<<48 {
			t.Errorf("%s %s: %+v, %v", tt.line, tt.path, spec.Targets, err)
		}
	}
}
