package bootspec_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

func multipathOn(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Multipath.On = from(v, source) }
}

func multipathOf(ids []string, nics ...bootspec.NIC) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Multipath.On = from(true, source)
		for _, id := range ids {
			p.Multipath.IDs = append(p.Multipath.IDs, from(id, source))
		}
		for _, nic := range nics {
			p.Multipath.NICs = append(p.Multipath.NICs, from(nic, source))
		}
	}
}

const naa6 = "360000000000000000e00000000010001"

var multipathGoods = []good{
	{"iscsi_multipath", "-", multipathOn(true)},
	{"iscsi_multipath", "1", multipathOn(true)},
	{"iscsi_multipath", "Yes", multipathOn(true)},
	{"iscsi_multipath", "off", multipathOn(false)},
	{"iscsi_multipath", "0", multipathOn(false)},
	{"iscsi_multipath", "ens2,52-54-00-12-34-56", multipathOf(nil, bootspec.NIC{Name: "ens2"}, bootspec.NIC{MAC: "52:54:00:12:34:56"})},
	{"iscsi_multipath", naa6 + ",ens2,35001020304050607", multipathOf([]string{naa6, "35001020304050607"}, bootspec.NIC{Name: "ens2"})},
	{"iscsi_multipath", "1,wwid:1LIO-ORG_disk0", multipathOf([]string{"1LIO-ORG_disk0"})},
	{"rd.multipath", "0", multipathOn(false)},
	{"rd.multipath", "off", multipathOn(false)},
	{"rd.multipath", "-", nothing},
	{"rd.multipath", "default", nothing},
	{"rd.multipath", "on", nothing},
	{"nompath", "-", multipathOn(false)},
	{"nompath", "0", nothing},
	{"mpath.wwid", naa6, func(p *bootspec.Plan, source string) { p.Multipath.IDs = append(p.Multipath.IDs, from(naa6, source)) }},
	{"mpath.wwid", "mpatha", func(p *bootspec.Plan, source string) {
		p.Warnings = []string{source + " is ignored: mpatha is not a WWID: write it as multipath -ll shows it"}
	}},
}

// pathsOf writes the sessions of a plan: NAME@PORTALS, %NIC if it is bound, and a * if it is a
// path.
func pathsOf(sessions []bootspec.Target) string {
	var out []string
	for _, s := range sessions {
		var portals []string
		for _, p := range s.Portals {
			portals = append(portals, p.V.String())
		}
		text := s.Name.V + "@" + strings.ReplaceAll(strings.Join(portals, "|"), ":3260", "")
		if s.NIC.Given() {
			text += "%" + s.NIC.V.String()
		}
		if s.Multipath.V {
			text += "*"
		}
		if s.Unused != "" {
			text += "-"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// The sessions of each way to ask for paths, in their order.
func TestSessions(t *testing.T) {
	const two = "iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.1.1 "
	const lines = "ip=ens2:dhcp ip=ens3:dhcp "
	for _, tt := range []struct{ line, want, odd string }{
		{two, "iqn.x:t@10.0.0.1|10.0.1.1", ""},
		{two + "rd.multipath=1 multipath=on mpath.wwid=" + naa6, "iqn.x:t@10.0.0.1|10.0.1.1", ""},
		{two + "iscsi_multipath", "iqn.x:t@10.0.0.1* iqn.x:t@10.0.1.1*", ""},
		{two + "iscsi_multipath=" + naa6, "iqn.x:t@10.0.0.1* iqn.x:t@10.0.1.1*", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 iscsi_multipath=1", "iqn.x:t@10.0.0.1*", ""},
		{"iscsi_t=iqn.x:t iscsi_a=a.example,a.example,b iscsi_multipath=1", "iqn.x:t@a.example* iqn.x:t@b*", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.0.1", "iqn.x:t@10.0.0.1", ""},
		{"iscsi_t=iqn.x:t ip=dhcp iscsi_multipath=ens2,ens3", "iqn.x:t@*", ""},
		{two + lines + "iscsi_multipath=1", "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.1.1%ens2* iqn.x:t@10.0.1.1%ens3*", ""},
		{two + lines + "BOOTIF=01-52-54-00-00-00-03 ifname=ens3:52:54:00:00:00:03 iscsi_multipath=1", "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.1.1%ens2* iqn.x:t@10.0.1.1%ens3*", ""},
		{two + "ip=ens2:dhcp iscsi_multipath=1", "iqn.x:t@10.0.0.1* iqn.x:t@10.0.1.1*", ""},
		{two + "ip=dhcp iscsi_multipath=ens3,ens2", "iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.1.1%ens3* iqn.x:t@10.0.1.1%ens2*", ""},
		{two + lines + "iscsi_multipath=ens2,ens4", "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens4* iqn.x:t@10.0.1.1%ens2* iqn.x:t@10.0.1.1%ens4*", "iscsi_multipath= names the NIC ens4 for a path, and no ip= configures it: write ip=ens4:dhcp, or its address"},
		{two + lines + "iscsi_multipath=BOOTIF,ens3 BOOTIF=01-52-54-00-00-00-02 ifname=ens2:52:54:00:00:00:02", "iqn.x:t@10.0.0.1%52:54:00:00:00:02* iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.1.1%52:54:00:00:00:02* iqn.x:t@10.0.1.1%ens3*", ""},
		{"netroot=iscsi:10.0.0.1::::iqn.x:t netroot=iscsi:10.0.1.1::::iqn.x:t", "iqn.x:t@10.0.0.1* iqn.x:t@10.0.1.1*", ""},
		{"netroot=iscsi:10.0.0.1::::iqn.x:t netroot=iscsi:10.0.0.1::::iqn.x:t", "iqn.x:t@10.0.0.1", ""},
		{"netroot=iscsi:10.0.0.1::::iqn.x:t netroot=iscsi:10.0.0.1::::iqn.x:u", "iqn.x:t@10.0.0.1 iqn.x:u@10.0.0.1", ""},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.0.1:::eth1::iqn.x:t", "iqn.x:t@10.0.0.1%eth0* iqn.x:t@10.0.0.1%eth1*", ""},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.1.1:::eth1::iqn.x:t ip=eth0:dhcp", "iqn.x:t@10.0.0.1%eth0* iqn.x:t@10.0.1.1%eth1*", "netroot=, 2nd names the NIC eth1 for a path, and no ip= configures it: write ip=eth1:dhcp, or its address"},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.1.1::::iqn.x:t iscsi_multipath=1 ip=eth0:dhcp ip=eth1:dhcp", "iqn.x:t@10.0.0.1%eth0* iqn.x:t@10.0.1.1%eth0* iqn.x:t@10.0.1.1%eth1*", ""},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t", "iqn.x:t@10.0.0.1", ""},
		{"netroot=iscsi:10.0.0.1::::iqn.x:t netroot=iscsi:10.0.1.1::::iqn.x:t nompath", "iqn.x:t@10.0.0.1|10.0.1.1", "netroot=, 2nd asks for several paths to target iqn.x:t, and nompath switches them off: one session is made for each target"},
		{"netroot=iscsi:10.0.0.1:::e0::iqn.x:t netroot=iscsi:10.0.0.1:::e1::iqn.x:t iscsi_multipath=0", "iqn.x:t@10.0.0.1", "netroot=, 2nd asks for several paths to target iqn.x:t, and iscsi_multipath= switches them off: one session is made for each target"},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 netroot=iscsi:10.0.1.1::::iqn.x:t", "iqn.x:t@10.0.0.1* iqn.x:t@10.0.1.1*", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 iscsi_t.2=iqn.x:T iscsi_a.2=10.0.1.1", "iqn.x:t@10.0.0.1* iqn.x:T@10.0.1.1*", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 iscsi_lun=0 iscsi_t.2=iqn.x:t iscsi_lun.2=1", "iqn.x:t@10.0.0.1 iqn.x:t@10.0.0.1", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 iscsi_t.2=iqn.x:u", "iqn.x:t@10.0.0.1 iqn.x:u@10.0.0.1", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.0.0.1 iscsi_t.2=iqn.x:u iscsi_multipath=1", "iqn.x:t@10.0.0.1* iqn.x:u@10.0.0.1*", ""},
		{two + "iscsi_multipath=1 iscsi_multipath=ens2,ens3 ip=dhcp rd.multipath=0", "iqn.x:t@10.0.0.1|10.0.1.1", "iscsi_multipath is given twice with different values, the last one is used: rd.multipath=0"},
	} {
		plan, err := parse("iscsi_i=iqn.x:m " + tt.line)
		if got := pathsOf(plan.Sessions()); err != nil || got != tt.want || strings.Join(plan.Warnings, "|") != tt.odd {
			t.Errorf("%s: %s, want %s\n%v, warnings %q", tt.line, got, tt.want, err, plan.Warnings)
		}
	}
}

// Each path has the target's values. Nothing of the plan changes by it.
func TestSessionsValues(t *testing.T) {
	plan, err := parse("iscsi_i=iqn.x:m iscsi_i_ip=10.0.0.9/24 iscsi_gw=10.0.0.254 iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.1.1 iscsi_lun=3 iscsi_g=2 iscsi_u=u iscsi_w=sesame-open-12 iscsi_multipath=1 iscsi_multipath=" + naa6)
	if err != nil {
		t.Fatal(err)
	}
	spec, warnings, err := plan.Resolve(bootspec.NetFacts{Interface: "eth0", Address: plan.Net.Address.V, Gateway: plan.Net.Gateway.V})
	if err != nil || len(warnings) > 0 || len(spec.Targets) != 2 || len(plan.Targets) != 1 || len(plan.Targets[0].Portals) != 2 || plan.Targets[0].Multipath.Given() {
		t.Fatalf("%+v, plan %+v, warnings %q, %v", spec.Targets, plan.Targets, warnings, err)
	}
	if len(spec.Multipath.IDs) != 1 || spec.Multipath.IDs[0].V != naa6 || spec.Multipath.On.From != "iscsi_multipath=" {
		t.Errorf("%+v", spec.Multipath)
	}
	for _, s := range spec.Targets {
		if s.LUN.V != iscsi.MakeLUN(3) || s.Group.V != 2 || !s.CHAP.Secret.V.Equal(iscsi.NewSecret([]byte("sesame-open-12"))) || s.Multipath.From != "iscsi_multipath=" || len(s.Portals) != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// More than 32 sessions are refused, with their number; as many are made.
func TestSessionsLimit(t *testing.T) {
	var portals []string
	for i := range 16 {
		portals = append(portals, fmt.Sprintf("10.0.0.%d", i+1))
	}
	line := "iscsi_i=iqn.x:m ip=dhcp iscsi_t=iqn.x:t iscsi_a=" + strings.Join(portals, ",") + " iscsi_multipath="
	for _, tt := range []struct {
		line, want string
		n          int
	}{
		{line + "a,b", "", 32},
		{line + "a,b,c", "iscsi_multipath=: 48 sessions, limit 32: name fewer portals or NICs", 32},
	} {
		plan, err := parse(tt.line)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Check(); tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) || len(plan.Sessions()) != tt.n {
			t.Errorf("%s: %v, %d sessions", tt.line, err, len(plan.Sessions()))
		}
	}
}

// A target that DHCP names has one path for each NIC, and their number before is none.
func TestSessionsByDHCP(t *testing.T) {
	plan, err := parse("iscsi_i=iqn.x:m ip=ens2:dhcp ip=ens3:dhcp root=dhcp iscsi_multipath=1")
	if err != nil || len(plan.Sessions()) != 0 {
		t.Fatalf("%v, %+v", err, plan.Sessions())
	}
	facts := bootspec.LeaseFacts(dhcp.Lease{Interface: "ens2", Address: netip.MustParsePrefix("10.0.0.9/24"), RootPath: "iscsi:10.0.0.1::::iqn.x:t"})
	spec, warnings, err := plan.Resolve(facts)
	if got := pathsOf(spec.Targets); err != nil || got != "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3*" || len(warnings) > 0 {
		t.Errorf("%s, %v, warnings %q", got, err, warnings)
	}
	one, _ := parse("iscsi_i=iqn.x:m ip=dhcp root=dhcp iscsi_multipath=1")
	if spec, _, err := one.Resolve(facts); err != nil || pathsOf(spec.Targets) != "iqn.x:t@10.0.0.1*" {
		t.Errorf("%s, %v", pathsOf(spec.Targets), err)
	}
}

// A path from a NIC that does not have the portal's network is not used if another NIC has it, as
// far as the networks are known; there is no warning of a portal whose network may still come.
func TestUnusedPaths(t *testing.T) {
	ens2 := dhcp.Lease{Interface: "ens2", Address: netip.MustParsePrefix("10.0.0.9/24")}
	ens3 := dhcp.Lease{Interface: "ens3", Address: netip.MustParsePrefix("10.0.1.9/24")}
	wide := dhcp.Lease{Interface: "ens3", Address: netip.MustParsePrefix("10.0.1.9/24"), Routes: []dhcp.Route{{To: netip.MustParsePrefix("10.0.0.0/24")}}}
	ens3of6 := dhcp.Lease{Interface: "ens3", Address: netip.MustParsePrefix("fd00::9/64")}
	const both, static = "ip=ens2:dhcp ip=ens3:dhcp ", "ip=10.0.0.9:::255.255.255.0::ens2:none ip=10.0.1.9:::255.255.255.0::ens3:none "
	const all = "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.1.1%ens2* iqn.x:t@10.0.1.1%ens3*"
	const straight = "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3*- iqn.x:t@10.0.1.1%ens2*- iqn.x:t@10.0.1.1%ens3*"
	for _, tt := range []struct {
		name, line string
		leases     []dhcp.Lease
		want       string
		warnings   int
	}{
		{"both known", both, []dhcp.Lease{ens2, ens3}, straight, 0},
		{"one is late", both, []dhcp.Lease{ens2}, all, 0},
		{"static, one is late", static, []dhcp.Lease{ens2}, straight, 0},
		{"a route on the link", both, []dhcp.Lease{ens2, wide}, "iqn.x:t@10.0.0.1%ens2* iqn.x:t@10.0.0.1%ens3* iqn.x:t@10.0.1.1%ens2*- iqn.x:t@10.0.1.1%ens3*", 0},
		{"another family", both, []dhcp.Lease{ens2, ens3of6}, all, 1},
	} {
		plan, err := parse("iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.1.1 iscsi_multipath=1 " + tt.line)
		if err != nil {
			t.Fatal(err)
		}
		spec, warnings, err := plan.Resolve(bootspec.LeaseFacts(tt.leases...))
		if got := pathsOf(spec.Targets); err != nil || got != tt.want || len(warnings) != tt.warnings {
			t.Errorf("%s: %s, %v, warnings %q", tt.name, got, err, warnings)
		}
	}
	plan, _ := parse("iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.1.1 iscsi_multipath=52:54:00:00:00:02,52:54:00:00:00:03 ip=dhcp")
	facts := bootspec.LeaseFacts(ens2, ens3)
	facts.Links[0].MAC, facts.Links[1].MAC = "52:54:00:00:00:02", "52:54:00:00:00:03"
	spec, _, _ := plan.Resolve(facts)
	if got := spec.Targets[1].Unused; got != "10.0.0.1 is not in the network of 52:54:00:00:00:03, but in that of 52:54:00:00:00:02" || spec.Targets[0].Unused != "" {
		t.Errorf("%q", got)
	}
}

// A link-local portal is on the link of the path's NIC.
func TestPathsOfLinkLocal(t *testing.T) {
	plan, err := parse("iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=fe80::1 iscsi_multipath=ens2,52:54:00:00:00:03 ip=link6")
	facts := bootspec.LeaseFacts(dhcp.Lease{Interface: "ens2", Address: netip.MustParsePrefix("fe80::9/64")}, dhcp.Lease{Interface: "ens3", Address: netip.MustParsePrefix("fe80::9/64")})
	facts.Links[1].MAC = "52:54:00:00:00:03"
	spec, _, err2 := plan.Resolve(facts)
	if got := pathsOf(spec.Targets); err != nil || err2 != nil || got != "iqn.x:t@[fe80::1%ens2]%ens2* iqn.x:t@[fe80::1%ens3]%52:54:00:00:00:03*" {
		t.Errorf("%s, %v, %v", got, err, err2)
	}
}

// The iBFT's targets of one name are paths, each by its NIC, also as failover; those of other names
// with rd.iscsi.mp or iscsi_multipath.
func TestFirmwarePaths(t *testing.T) {
	same := func(change func(*ibft.Table)) *ibft.Table {
		table := firmware()
		table.Targets[0].Name, table.Targets[0].NIC = table.Targets[1].Name, 0
		change(table)
		return table
	}
	const (
		nothing = "10.1.1.7%02:00:00:00:00:02* iqn.x:fwt@10.1.1.8%02:00:00:00:00:01*"
		pair    = "iqn.x:fwt@" + nothing
		single  = "iqn.x:fwt@10.1.1.7"
	)
	for _, tt := range []struct {
		name, line string
		table      *ibft.Table
		want       string
	}{
		{"same name", "", same(func(*ibft.Table) {}), pair},
		{"same name and portal", "", same(func(t *ibft.Table) { t.Targets[0].Portal = t.Targets[1].Portal }), "iqn.x:fwt@10.1.1.7%02:00:00:00:00:02* iqn.x:fwt@10.1.1.7%02:00:00:00:00:01*"},
		{"failover", "", same(func(t *ibft.Table) { t.Failover = true }), pair},
		{"failover, off", "iscsi_multipath=0", same(func(t *ibft.Table) { t.Failover = true }), single},
		{"off", "rd.multipath=0", same(func(*ibft.Table) {}), "iqn.x:fwt@10.1.1.7|10.1.1.8"},
		{"VLAN", "", same(func(t *ibft.Table) { t.NICs[0].VLAN = 7 }), "iqn.x:fwt@10.1.1.7%02:00:00:00:00:02* iqn.x:fwt@10.1.1.8%ibft0.7*"},
		{"another address", "iscsi_i_ip=10.1.1.5/24", same(func(*ibft.Table) {}), "iqn.x:fwt@10.1.1.7* iqn.x:fwt@10.1.1.8*"},
		{"no MAC", "", same(func(t *ibft.Table) { t.NICs[0].MAC = [6]byte{} }), "iqn.x:fwt@10.1.1.7%02:00:00:00:00:02* iqn.x:fwt@10.1.1.8*"},
		{"other names", "", firmware(), "iqn.x:fwt@10.1.1.7 iqn.x:other@10.1.1.8"},
		{"other names, failover", "", change(firmware(), func(t *ibft.Table) { t.Failover = true }), single},
		{"rd.iscsi.mp", "rd.iscsi.mp=1", change(firmware(), func(t *ibft.Table) { t.Failover = true }), "iqn.x:fwt@10.1.1.7%02:00:00:00:00:02* iqn.x:other@10.1.1.8%02:00:00:00:00:02*"},
		{"rd.iscsi.mp, one target", "rd.iscsi.mp=1", change(firmware(), func(t *ibft.Table) { t.Targets = t.Targets[1:] }), single},
		{"rd.iscsi.mp=0", "rd.iscsi.mp=0", firmware(), "iqn.x:fwt@10.1.1.7 iqn.x:other@10.1.1.8"},
		{"iscsi_multipath", "iscsi_multipath", change(firmware(), func(t *ibft.Table) { t.Failover = true }), "iqn.x:fwt@10.1.1.7%02:00:00:00:00:02* iqn.x:other@10.1.1.8%02:00:00:00:00:02*"},
	} {
		plan, err := bootspec.ParseWith(cmdline.Parse(tt.line), tt.table)
		if got := pathsOf(plan.Sessions()); err != nil || plan.Check() != nil || got != tt.want {
			t.Errorf("%s: %s, want %s; %v, %v", tt.name, got, tt.want, err, plan.Check())
		}
	}
}

func change(t *ibft.Table, f func(*ibft.Table)) *ibft.Table {
	f(t)
	return t
}

// Several NICs that netroot= or iscsi_multipath= name get addresses by DHCP each, if no parameter
// gives one; their names are those that the NICs get.
func TestPathNICsGetAddresses(t *testing.T) {
	for _, tt := range []struct{ line, lines, names string }{
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.1.1:::eth1::iqn.x:t", "eth0:dhcp eth1:dhcp", "eth0 eth1"},
		{"netroot=iscsi:10.0.0.1::::iqn.x:t iscsi_multipath=ens3,52:54:00:00:00:02,ens3", "ens3:dhcp 52-54-00-00-00-02:dhcp", "ens3"},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t", "eth0:dhcp", "eth0"},
		{"netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.1.1:::eth1::iqn.x:t ip=dhcp", "eth0:dhcp", "eth0 eth1"},
	} {
		plan, err := parse(tt.line)
		if got := strings.ReplaceAll(lines(plan), "::::::", ""); err != nil || got != tt.lines || !slices.Equal(plan.PathNICs(), strings.Fields(tt.names)) {
			t.Errorf("%s: %s, %q, %v", tt.line, got, plan.PathNICs(), err)
		}
	}
	if _, err := parse("iscsi_multipath=BOOTIF,ens3"); err == nil || !strings.Contains(err.Error(), "iscsi_multipath= names BOOTIF as the NIC") {
		t.Errorf("error %v", err)
	}
}

// The image's policy counts above the command line, and its default below.
func TestMultipathLevels(t *testing.T) {
	line := bootspec.Add(cmdline.Line{}, cmdline.Parse("iscsi_multipath=a,b,"+naa6), bootspec.FromDefault)
	line.Params = append(line.Params, cmdline.Parse("iscsi_multipath=c,d").Params...)
	plan, err := bootspec.Parse(line)
	if m := plan.Multipath; err != nil || len(m.NICs) != 2 || m.NICs[0].V.Name != "c" || len(m.IDs) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	plan, err = bootspec.Parse(bootspec.Add(line, cmdline.Parse("rd.multipath=0"), bootspec.FromPolicy))
	if m := plan.Multipath; err != nil || m.On.V || !m.On.Given() {
		t.Errorf("%+v, %v", m, err)
	}
}

// checkSessions: each target has a session, a path has one portal of its target, no two paths to a
// target have the same portal and NIC, and without paths there is one session to a target.
func checkSessions(t *testing.T, plan bootspec.Plan) {
	t.Helper()
	sessions := plan.Sessions()
	at := 0
	for _, target := range plan.Targets {
		seen := map[string]bool{}
		first := at
		for at < len(sessions) && sessions[at].Number == target.Number && sessions[at].Name == target.Name && (at == first || sessions[at].Multipath.V) {
			s := sessions[at]
			key := pathsOf(sessions[at : at+1])
			if s.Multipath.V && (len(s.Portals) > 1 || len(s.Portals) == 1 && !slices.Contains(target.Portals, s.Portals[0]) || seen[key]) || s.NIC.Given() && !s.Multipath.V {
				t.Errorf("session %d: %+v", at, s)
			}
			if on := plan.Multipath.On; on.Given() && s.Multipath.V != on.V {
				t.Errorf("session %d, multipath %v: %+v", at, on, s)
			}
			seen[key] = true
			at++
		}
		if at == first && at < len(sessions) {
			t.Errorf("target %+v has no session", target)
		}
	}
	if at != len(sessions) || at > 32 || at < 32 && at < len(plan.Targets) {
		t.Errorf("%d sessions, %d of them of %d targets", len(sessions), at, len(plan.Targets))
	}
}

// Each word of multipath makes other targets of a plan: sessions and disks are of another number.
func TestSameTargetsMultipath(t *testing.T) {
	const line = "iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.0.0.1,10.0.1.1 ip=ens2:dhcp ip=ens3:dhcp "
	words := []string{"", "iscsi_multipath=1", "iscsi_multipath=ens2", "nompath", "mpath.wwid=" + naa6, "mpath.wwid=35001020304050607"}
	for i, old := range words {
		for j, now := range words {
			before, err1 := parse(line + old)
			after, err2 := parse(line + now)
			if got := before.SameTargets(after); err1 != nil || err2 != nil || got != (i == j) {
				t.Errorf("from %q to %q: the targets are the same: %v, %v, %v", old, now, got, err1, err2)
			}
		}
	}
}
