package bootspec_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// remote1 is the table of a machine with one NIC that was booted by.
func remote1() *ibft.Table {
	return &ibft.Table{
		Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.2007-01.com.example:server.remote1"},
		NICs: []ibft.NIC{{
			Flags: ibft.Valid | ibft.BootSelected, Address: netip.MustParseAddr("10.77.0.2"), PrefixLen: 24, Origin: ibft.OriginManual, MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 1},
		}},
		Targets: []ibft.Target{{
			Flags: ibft.Valid | ibft.BootSelected, Name: "iqn.2007-01.com.example:storage.remote1",
			Portal: netip.MustParseAddrPort("10.77.0.1:3260"), LUN: iscsi.MakeLUN(1),
		}},
	}
}

// lines writes what is brought up, with the names of NICs that are known by their MACs.
func lines(p bootspec.Plan) string {
	var out []string
	for _, v := range p.Net.Lines() {
		text := v.V.String()
		if v.V.MAC != "" && v.V.Device != "" {
			text += "=" + v.V.Device
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// The firmware's addresses together with lines of ip=: each NIC keeps its own.
func TestFirmwareLines(t *testing.T) {
	const (
		nic0 = "10.77.0.2/24:::::52-54-00-77-00-01:static"
		ens2 = nic0 + "=ens2"
		ens3 = "10.10.10.10/24::::myhostname:ens3:static:10.10.10.53:"
		own  = "ip=10.10.10.10:::255.255.255.0:myhostname:ens3:none:10.10.10.53"
	)
	second := func(t *ibft.Table) {
		n := t.NICs[0]
		n.Flags, n.Index, n.Address, n.MAC[5] = ibft.Valid, 1, netip.MustParseAddr("10.78.0.2"), 2
		t.NICs = append(t.NICs, n)
	}
	const nic1 = "10.78.0.2/24:::::52-54-00-77-00-02:static"
	for _, tt := range []struct {
		line   string
		change func(*ibft.Table)
		want   string
		odd    string // part of the warnings
	}{
		{"", nil, nic0, ""},
		{"rd.iscsi.firmware=1 ip=ens2:ibft " + own, nil, ens2 + " " + ens3, ""},
		{"rd.iscsi.firmware=1 " + own + " ip=ens2:ibft", nil, ens2 + " " + ens3, ""},
		{"rd.iscsi.firmware=1 ip=ens2:ibft ip=ens3:dhcp", nil, ens2 + " ens3:dhcp", ""},
		{"rd.iscsi.firmware=1 ip=ens2:ibft ip=ens3:dhcp bootdev=ens3", nil, "ens3:dhcp " + ens2, ""},
		{"rd.iscsi.firmware=1 ip=ibft ip=ens3:dhcp", nil, nic0 + " ens3:dhcp", ""},
		{"rd.iscsi.firmware=1 rd.iscsi.ibft=1 ip=ens3:dhcp", nil, nic0 + " ens3:dhcp", ""},
		{"rd.iscsi.firmware=1 ip=ens2:ibft rd.iscsi.ibft=1", nil, ens2, ""},
		{"ip=52-54-00-77-00-01:ibft ip=ens3:dhcp", nil, nic0 + " ens3:dhcp", ""},
		{"ip=boot0:ibft ifname=boot0:52:54:00:77:00:01", nil, nic0 + "=boot0", ""},
		{"ip=::::::ibft:9000", nil, nic0 + ":9000", ""},
		{"ip=::10.77.0.254::mine:ens2:ibft:10.77.0.53", nil, "10.77.0.2/24::10.77.0.254::mine:52-54-00-77-00-01:static:10.77.0.53:=ens2", ""},
		{"netroot=iscsi:10.77.0.1::::iqn.x:t ip=ens2:ibft ip=ens3:dhcp", nil, ens2 + " ens3:dhcp", ""},
		// The table's MAC determines the NIC.
		{"ip=52-54-00-77-00-09:ibft", nil, nic0, "ip=52-54-00-77-00-09:ibft is for the NIC with MAC 52:54:00:77:00:09, and iBFT NIC 0 has MAC 52:54:00:77:00:01, which is used"},
		{"ip=boot0:ibft ifname=boot0:52:54:00:77:00:09", nil, nic0, "ip=boot0:ibft is for the NIC with MAC"},
		{"ip=ens2:ibft ip=ens3:ibft", nil, ens2, "ip=ens3:ibft, 2nd is ignored: the iBFT has no other NIC"},
		// A second NIC.
		{"ip=ibft", second, nic0, ""},
		{"ip=ens2:ibft ip=ens3:ibft", second, ens2 + " " + nic1 + "=ens3", ""},
		{"ip=52-54-00-77-00-02:ibft ip=ens2:ibft", second, nic1 + " " + ens2, ""},
		{"ip=52-54-00-77-00-02:ibft", second, nic1 + " " + nic0, ""},
		{"rd.iscsi.mp ip=ens2:ibft", second, ens2 + " " + nic1, ""},
		{"rd.iscsi.mp ip=ibft ip=52-54-00-77-00-02:dhcp", second, nic0 + " 52-54-00-77-00-02:dhcp", ""},
		// Odd structures of a NIC.
		{"ip=ens2:ibft", func(t *ibft.Table) { t.NICs[0].MAC = [6]byte{} }, "10.77.0.2/24:::::ens2:static", ""},
		{"ip=ibft", func(t *ibft.Table) { t.NICs[0].MAC, t.NICs[0].PCI = [6]byte{}, 3<<3 }, "10.77.0.2/24:::::0000:00:03.0:static", ""},
		{"ip=ibft", func(t *ibft.Table) { t.NICs[0].MAC = [6]byte{} }, "10.77.0.2/24::::::static", ""},
		{"ip=ibft", func(t *ibft.Table) { t.NICs[0].PrefixLen = 0 }, "10.77.0.2/8:::::52-54-00-77-00-01:static", "iBFT NIC 0 has no mask: 10.77.0.2/8 is used"},
		{"ip=ibft", func(t *ibft.Table) { t.NICs[0].Flags, t.Targets[0].NIC = ibft.Valid, 7 }, nic0, ""},
		{"ip=ens2:ibft ip=ens3:dhcp", func(t *ibft.Table) { t.NICs[0].Address = netip.Addr{} }, "ens3:dhcp", "iBFT NIC 0 has no address and is ignored"},
		{"ip=ibft", func(t *ibft.Table) { t.NICs[0].Address = netip.Addr{} }, "52-54-00-77-00-01:dhcp", "the iBFT has no NIC with an address, and DHCP is tried"},
		{"", func(t *ibft.Table) { t.NICs = nil }, "dhcp", "the iBFT has no NIC with an address, and DHCP is tried"},
		{"ip=ens3:dhcp", func(t *ibft.Table) { t.NICs = nil }, "ens3:dhcp", ""},
		// The precedence of the sources.
		{"iscsi_i_ip=10.77.0.5/24 ip=ens2:ibft", nil, "10.77.0.5/24::::::static", "is ignored: iscsi_i_ip= gives this machine's address"},
		{"ip=ens3:dhcp", nil, "ens3:dhcp", ""},
	} {
		table := remote1()
		if tt.change != nil {
			tt.change(table)
		}
		plan, err := bootspec.ParseWith(cmdline.Parse(tt.line), table)
		if err != nil || plan.Check() != nil {
			t.Errorf("%s: %v, %v", tt.line, err, plan.Check())
		}
		if got := lines(plan); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.line, got, tt.want)
		}
		if odd := strings.Join(plan.Warnings, "\n"); !strings.Contains(odd, tt.odd) || tt.odd == "" && odd != "" {
			t.Errorf("%s: warnings %q, want %q", tt.line, odd, tt.odd)
		}
	}
}

// Name servers and host name of a line that is not the boot's are kept, and explain shows the lines
// that are brought up, with their sources.
func TestFirmwareBesideALine(t *testing.T) {
	plan, err := bootspec.ParseWith(cmdline.Parse("rd.iscsi.firmware=1 ip=ens2:ibft ip=10.10.10.10:::255.255.255.0:myhostname:ens3:none:10.10.10.53 root=/dev/sda2 ro"), remote1())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(plan.Explain(), "\n")
	for _, want := range []string{
		"interface with MAC 52:54:00:77:00:01 (iBFT NIC 0, ip=ens2:ibft)", "address 10.77.0.2/24 (iBFT NIC 0, ip=ens2:ibft)",
		"network 10.10.10.10/24::::myhostname:ens3:static:10.10.10.53: (ip=, 2nd)", "host name myhostname (ip=, 2nd)", "name server 10.10.10.53 (ip=, 2nd)",
		"target iqn.2007-01.com.example:storage.remote1 (iBFT target 0)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "network ibft") {
		t.Errorf("a line as it was written:\n%s", got)
	}
	if f := plan.Net.Facts(); f.Address.String() != "10.77.0.2/24" || len(f.Networks) != 1 || f.Networks[0].String() != "10.10.10.0/24" {
		t.Errorf("facts %+v", f)
	}
}

// The iBFT names the initiator whichever source names the target.
func TestFirmwareInitiator(t *testing.T) {
	const netroot = "root=/dev/sda2 ro netroot=iscsi:10.77.0.1:::1:iqn.2007-01.com.example:storage.remote1 "
	const fw = "iqn.2007-01.com.example:server.remote1"
	dhcp := bootspec.NetFacts{Initiator: "iqn.x:option", HostName: "remote1", RootPath: "iscsi:10.77.0.1::::iqn.x:dhcp"}
	for _, tt := range []struct{ line, def, want, from string }{
		{netroot + "rd.iscsi.param=node.session.timeo.replacement_timeout=6000", "", fw, "iBFT initiator"},
		{netroot + "rd.iscsi.firmware=0", "", fw, "iBFT initiator"},
		{netroot + "rd.iscsi.firmware=1", "", fw, "iBFT initiator"},
		{netroot + "iscsi_i=iqn.x:line", "", "iqn.x:line", "iscsi_i="},
		{netroot, "iscsi_i=iqn.x:low", fw, "iBFT initiator"},
		{netroot + "rd.iscsi.firmware=0", "iscsi_i=iqn.x:low", "iqn.x:option", "DHCP option 203"}, // above the default
		{"ip=dhcp iscsi_t=iqn.x:t iscsi_a=10.77.0.1", "", fw, "iBFT initiator"},
		{"root=dhcp rd.iscsi.firmware=0", "", fw, "iBFT initiator"},
		{"", "", fw, "iBFT initiator"},
	} {
		plan, _, err := planOf(t, tt.line, tt.def, remote1()).Preview(dhcp)
		if err != nil || plan.Initiator != from(tt.want, tt.from) {
			t.Errorf("%s, default %s: %+v, %v", tt.line, tt.def, plan.Initiator, err)
		}
	}
	table := remote1()
	table.Initiator.Name = "a name"
	if plan := planOf(t, netroot, "", table); plan.Initiator.Given() || !strings.Contains(strings.Join(plan.Warnings, ""), "iBFT initiator is not an iSCSI name") {
		t.Errorf("%+v, %q", plan.Initiator, plan.Warnings)
	}
}

// Without a table, or without a target in it that can be used, what it was to give is an error only
// if no other source has it.
func TestFirmwareMissing(t *testing.T) {
	bare := remote1()
	bare.Targets = nil
	const (
		noTable  = "this machine's firmware provides no iBFT"
		noTarget = "this machine's iBFT has no target that can be used"
		named    = " iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.77.0.1"
	)
	for _, tt := range []struct {
		line     string
		table    *ibft.Table
		odd, err string
	}{
		{"rd.iscsi.firmware=1 iscsi_i_ip=10.77.0.5/24", nil, "", "rd.iscsi.firmware= asks for the firmware's target: " + noTable},
		{"rd.iscsi.firmware=1 iscsi_i_ip=10.77.0.5/24" + named, nil, "rd.iscsi.firmware= asks for the firmware's target, and " + noTable + ": other sources are used", ""},
		{"iscsi_auto ip=dhcp netroot=iscsi:10.77.0.1::::iqn.x:t iscsi_i=iqn.x:m", nil, noTable, ""},
		{"rd.iscsi.firmware=1 ip=dhcp iscsi_i=iqn.x:m", nil, noTable, noTable}, // DHCP may name one, and did not
		{"ip=ibft" + named, nil, "", "ip=ibft asks for the firmware's address: " + noTable},
		{"ip=ens2:ibft ip=ens3:dhcp" + named, nil, "ip=ens2:ibft asks for the firmware's address, and " + noTable + ": other lines are used", ""},
		{"rd.iscsi.firmware=1 iscsi_i_ip=10.77.0.5/24", bare, "", "rd.iscsi.firmware= asks for the firmware's target: " + noTarget},
		{"rd.iscsi.firmware=1 iscsi_i_ip=10.77.0.5/24" + named, bare, noTarget, ""},
		{"netroot=iscsi:10.77.0.1::::iqn.x:t", bare, "", ""},
	} {
		plan, err := bootspec.ParseWith(cmdline.Parse(tt.line), tt.table)
		if err != nil {
			t.Error(err)
		}
		_, _, err = plan.Resolve(bootspec.NetFacts{Address: netip.MustParsePrefix("10.77.0.5/24")})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.line, err, tt.err)
		}
		if odd := strings.Join(plan.Warnings, "\n"); !strings.Contains(odd, tt.odd) || tt.odd == "" && odd != "" {
			t.Errorf("%s: warnings %q, want %q", tt.line, odd, tt.odd)
		}
	}
}
