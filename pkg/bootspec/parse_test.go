package bootspec_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

func seed(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../cmdline/testdata/seed.cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The HOWTO's line gives all that a boot needs, and not a word about it is odd.
func TestParseSeed(t *testing.T) {
	plan, err := parse(seed(t))
	if err != nil {
		t.Fatal(err)
	}
	want := bootspec.Plan{
		Net: bootspec.Net{
			Address: from(netip.MustParsePrefix("10.1.1.165/26"), "iscsi_i_ip="),
			// IPAPPEND 3 adds these two.
			MAC:     from("52:54:00:aa:bb:01", "BOOTIF="),
			Gateway: from(netip.MustParseAddr("10.1.1.1"), "ip="),
			IP: []bootspec.Value[bootspec.IP]{from(bootspec.IP{
				Methods: []bootspec.Method{bootspec.Static}, Address: netip.MustParsePrefix("10.1.1.165/26"), Gateway: netip.MustParseAddr("10.1.1.1"),
			}, "ip=")},
		},
		Initiator: from("iqn.2007-01.com.example:server.remote1", "iscsi_i="),
		Targets: []bootspec.Target{{
			Number:  1,
			Name:    from("iqn.2007-01.com.example:storage.remote1", "iscsi_t="),
			Portals: []bootspec.Value[bootspec.Portal]{from(bootspec.Portal{Host: "10.1.1.180", Port: 3260}, "iscsi_a=")},
		}},
	}
	if diff := cmp.Diff(want, plan, equal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := plan.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
}

// Of a parameter that is given twice the last one is used, under any of its names, and the first
// one's name is in the warning.
func TestParseTwice(t *testing.T) {
	const differ = " is given twice with different values, the last one is used: "
	tests := []struct {
		text, warning string
		want          func(*bootspec.Plan)
	}{
		{"iscsi_g=1 iscsi_g=1", "", func(p *bootspec.Plan) { first(p).Group = from(uint16(1), "iscsi_g=") }},
		{"iscsi_g=1 iscsi_g=2", "iscsi_g" + differ + "iscsi_g=2", func(p *bootspec.Plan) { first(p).Group = from(uint16(2), "iscsi_g=") }},
		{"iscsi_g=2 rd.iscsiroot.group=1", "iscsi_g" + differ + "rd.iscsiroot.group=1", func(p *bootspec.Plan) {
			first(p).Group = from(uint16(1), "rd.iscsiroot.group=")
		}},
		{"rd.debug rd.debug=0", "rd.debug" + differ + "rd.debug=0", func(p *bootspec.Plan) { p.Policy.Debug = from(false, "rd.debug=") }},
		{"ro rw", "", func(p *bootspec.Plan) { p.Root.ReadWrite = from(true, "rw") }},
		{"rw ro", "", func(p *bootspec.Plan) { p.Root.ReadWrite = from(false, "ro") }},
		{"rw ro=1", "ro=1 is ignored: ro takes no value", func(p *bootspec.Plan) { p.Root.ReadWrite = from(true, "rw") }},
		{"rd.shell rd.shell=0", "", func(*bootspec.Plan) {}},
		{"rootfstype=ext3 rootfstype=auto", "", func(*bootspec.Plan) {}},
		{"rd.break=login rd.break", "", func(p *bootspec.Plan) {
			p.Policy.Break = []bootspec.Value[string]{from("login", "rd.break="), from("switch-root", "rd.break")}
		}},
	}
	for _, tt := range tests {
		var want bootspec.Plan
		tt.want(&want)
		if tt.warning != "" {
			want.Warnings = []string{tt.warning}
		}
		got, err := parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if diff := cmp.Diff(want, got, equal); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.text, diff)
		}
	}
}

// Address and port may be in two words, in any order; iscsi_p takes precedence.
func TestPortal(t *testing.T) {
	tests := []struct {
		text, want, from, warning string
	}{
		{"iscsi_a=10.1.1.180 iscsi_p=3261", "10.1.1.180:3261", "iscsi_a=, iscsi_p=", ""},
		{"iscsi_p=3261 iscsi_a=10.1.1.180", "10.1.1.180:3261", "iscsi_a=, iscsi_p=", ""},
		{"iscsi_a=10.1.1.180:3261 iscsi_p=3261", "10.1.1.180:3261", "iscsi_a=, iscsi_p=", ""},
		{"iscsi_a=10.1.1.180:3261 rd.iscsiroot.port=3262", "10.1.1.180:3262", "iscsi_a=, rd.iscsiroot.port=", "the port in iscsi_a= and rd.iscsiroot.port= differ, the latter is used: 3262"},
		{"iscsi_a=10.1.1.180:3261 iscsi_a=10.1.1.180", "10.1.1.180:3260", "iscsi_a=", "iscsi_a is given twice with different values, the last one is used: iscsi_a=10.1.1.180"},
	}
	for _, tt := range tests {
		plan, err := parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if got := plan.Targets[0].Portals; len(got) != 1 || got[0].V.String() != tt.want || got[0].From != tt.from {
			t.Errorf("%s: portals are %v, want %s from %s", tt.text, got, tt.want, tt.from)
		}
		if got := strings.Join(plan.Warnings, "\n"); got != tt.warning {
			t.Errorf("%s: warning is %q, want %q", tt.text, got, tt.warning)
		}
	}
}

// A name similar to a parameter's is reported with the nearest one; any other name is not reported.
func TestParseUnknown(t *testing.T) {
	const dead = " is not understood and is ignored"
	tests := []struct{ text, want string }{
		{"iscsi_T=x", "parameter iscsi_T" + dead + ": did you mean iscsi_t?"},
		{"iscsi_ip=10.1.1.1/24", "parameter iscsi_ip" + dead + ": did you mean iscsi_i or iscsi_if or iscsi_p?"},
		{"iscsi_lum=1", "parameter iscsi_lum" + dead + ": did you mean iscsi_lun?"},
		{"rd.iscsiroot.adress=1", "parameter rd.iscsiroot.adress" + dead + ": did you mean rd.iscsiroot.address?"},
		{"rd.iscsiroot.gatewayaddress=1", "parameter rd.iscsiroot.gatewayaddress" + dead},
		{"iscsi_frmware", "parameter iscsi_frmware" + dead + ": did you mean iscsi_firmware?"},
		{"rd.iscsi.fimware=1", "parameter rd.iscsi.fimware" + dead + ": did you mean rd.iscsi.firmware?"},
		{"netrot=iscsi", "parameter netrot" + dead + ": did you mean netroot?"},
		{"bootif=01-52-54-00-aa-bb-01", "parameter bootif" + dead + ": did you mean BOOTIF?"},
		{"nameservers=10.1.1.1", "parameter nameservers" + dead + ": did you mean nameserver?"},
		{"rd.net.timeout.carier=1", "parameter rd.net.timeout.carier" + dead + ": did you mean rd.net.timeout.carrier?"},
		{"rd.routes=1", "parameter rd.routes" + dead + ": did you mean rd.route?"},
		{"quiet root2=/dev/sda console=ttyS0 rd.luks=0", ""},
		{"isci_p=1", "parameter isci_p" + dead + ": did you mean iscsi_p?"},
		{"iscsii_t=x", "parameter iscsii_t" + dead + ": did you mean iscsi_t?"},
		{"icssi_t=x", "parameter icssi_t" + dead + ": did you mean iscsi_t?"},
		{"isci_t.2=x", "parameter isci_t.2" + dead + ": did you mean iscsi_t.2?"},
		{"iscsi_t.0=x", "parameter iscsi_t.0" + dead + ": did you mean iscsi_t?"},
		{"rd.iscsirot.lun=1", "parameter rd.iscsirot.lun" + dead + ": did you mean rd.iscsiroot.lun?"},
		{"dr.iscsiroot.lun=1", "parameter dr.iscsiroot.lun" + dead + ": did you mean rd.iscsiroot.lun?"},
		{"ISCSI_U=x", "parameter ISCSI_U" + dead + ": did you mean iscsi_u or iscsi_U?"},
		{"Iscsi_mistake=x", "parameter Iscsi_mistake" + dead},
		{"IP=dhcp VLAN=12 TEAM=blue MTU=9000", ""},
		{"hotsnaem=x", "parameter hotsnaem" + dead + ": did you mean hostname?"},
		{"ipp=dhcp inti=/sbin/x paanic=1 rot=/dev/sda", ""},
		{"keymap=us locale=de_DE noeject splash=silent url=http://x ds=nocloud-net domain=example.org interface=eth0 log_host=10.1.1.1 root2=x hostid=1 username=x", ""},
		{"drm.debug=1 sd.debug=1 iscsi_tcp.debug_iscsi_tcp=1 libiscsi.debug_libiscsi_eh=1 net.ifname_policy=keep", ""},
		{`"" =x`, ""},
	}
	for _, tt := range tests {
		plan, err := parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if got := strings.Join(plan.Warnings, "\n"); got != tt.want {
			t.Errorf("%s: warning is %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestParseOddName(t *testing.T) {
	plan, err := parse("iscsi_t=disk1")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"iscsi_t=disk1 is not an iSCSI name: it should begin with iqn., eui. or naa."}
	if diff := cmp.Diff(want, plan.Warnings); diff != "" || plan.Targets[0].Name.V != "disk1" {
		t.Errorf("target %+v, warnings -want +got:\n%s", plan.Targets[0].Name, diff)
	}
}

func TestOurs(t *testing.T) {
	for _, row := range bootspec.Table() {
		for _, key := range row.Names() {
			if !bootspec.ForInitramfs(key) {
				t.Errorf("%s is not a parameter", key)
			}
		}
	}
	for key, want := range map[string]bool{
		"iscsi_secret": true, "rd.iscsiroot.x": true, "iscsi_t.2": true, "iscsi_t.0": true, "rd.iscsi.password.9": true, "iscsi_tcp.debug": false, "rd.iscsi.x.2": true,
		"": false, "quiet": false, "single": false, "HOME": false, "iscsi": true, "rd.luks": true, "isci_w": true, "ISCSI_W": true, "overlayroot": true, "dolvm": true, "gk.log.disabled": true, "boot_delay": false,
	} {
		if bootspec.ForInitramfs(key) != want {
			t.Errorf("ForInitramfs(%q) is %v", key, !want)
		}
	}
}

// Each missing parameter is named with the thing it gives.
func TestCheck(t *testing.T) {
	plan, err := parse("quiet")
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Check()
	var missing *bootspec.MissingError
	if !errors.As(err, &missing) {
		t.Fatalf("error is %v, want a MissingError", err)
	}
	want := strings.Join([]string{
		"this machine's address is not given: write iscsi_i_ip=ADDRESS/MASK on the kernel command line",
		"the initiator name is not given: write iscsi_i=NAME on the kernel command line",
		"the target name is not given: write iscsi_t=NAME on the kernel command line",
		"the target's address is not given: write iscsi_a=ADDRESS on the kernel command line",
	}, "\n")
	if err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}
