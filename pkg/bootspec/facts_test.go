package bootspec_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

const low = "iscsi_i=iqn.x:low iscsi_t=iqn.x:low iscsi_a=10.1.1.9"

// plan makes the plan of a line, an image's default and a table.
func planOf(t *testing.T, line, def string, table *ibft.Table) bootspec.Plan {
	t.Helper()
	all, odd := bootspec.Gather(fstest.MapFS{"etc/iscsiroot/default": {Data: []byte(def)}}, cmdline.Parse(line))
	plan, err := bootspec.ParseWith(all, table)
	if err != nil || odd != nil {
		t.Fatal(err, odd)
	}
	return plan
}

func firmware() *ibft.Table {
	return &ibft.Table{
		Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.x:fw"},
		NICs: []ibft.NIC{
			{Flags: ibft.Valid, Index: 0, Address: netip.MustParseAddr("10.1.2.5"), PrefixLen: 24, MAC: [6]byte{2, 0, 0, 0, 0, 1}},
			{Flags: ibft.Valid | ibft.BootSelected, Index: 1, Address: netip.MustParseAddr("10.1.1.5"), PrefixLen: 24, MAC: [6]byte{2, 0, 0, 0, 0, 2}, Gateway: netip.MustParseAddr("10.1.1.1")},
		},
		Targets: []ibft.Target{
			{Flags: ibft.Valid, Index: 0, NIC: 1, Name: "iqn.x:other", Portal: netip.MustParseAddrPort("10.1.1.8:3260")},
			{
				Flags: ibft.Valid | ibft.BootSelected, Index: 1, NIC: 1, Name: "iqn.x:fwt", Portal: netip.MustParseAddrPort("10.1.1.7:3260"),
				CHAP: ibft.MutualCHAP, User: "u", Secret: iscsi.NewSecret([]byte("sesame-open-12")), ReverseUser: "t", ReverseSecret: iscsi.NewSecret([]byte("sesame-open-34")),
			},
		},
	}
}

// Policy, command line, firmware, DHCP, the image's default: the first of them that names a target
// is used, and is the value's source.
func TestPrecedence(t *testing.T) {
	const line = "iscsi_i=iqn.x:line iscsi_t=iqn.x:line iscsi_a=10.1.1.6"
	lease := bootspec.LeaseFacts(dhcp.Lease{RootPath: "iscsi:10.1.1.10::::iqn.x:dhcp", Initiator: "iqn.x:option", Server: netip.MustParseAddr("10.1.1.1")})
	for _, tt := range []struct {
		name, line, def         string
		table                   *ibft.Table
		facts                   bootspec.NetFacts
		target, from, initiator string
	}{
		{"default", "", low, nil, bootspec.NetFacts{}, "iqn.x:low", "iscsi_t= in the image's default", "iqn.x:low"},
		{"DHCP", "", low, nil, lease, "iqn.x:dhcp", "DHCP option 17 from 10.1.1.1", "iqn.x:option"},
		{"firmware", "", low, firmware(), lease, "iqn.x:fwt", "iBFT target 1", "iqn.x:fw"},
		{"line", line, low, firmware(), lease, "iqn.x:line", "iscsi_t=", "iqn.x:line"},
		{"netroot", "iscsi_i=iqn.x:line netroot=iscsi:10.1.1.6::::iqn.x:n", low, firmware(), lease, "iqn.x:n", "netroot=", "iqn.x:line"},
		{"firmware not wanted", "rd.iscsi.firmware=0", low, firmware(), bootspec.NetFacts{}, "iqn.x:low", "iscsi_t= in the image's default", "iqn.x:low"},
	} {
		plan, _, err := planOf(t, "iscsi_i_ip=10.1.1.5/24 "+tt.line, tt.def, tt.table).Preview(tt.facts)
		if err != nil || len(plan.Targets) == 0 {
			t.Errorf("%s: %v, %+v", tt.name, err, plan.Targets)
			continue
		}
		if got := plan.Targets[0].Name; got.V != tt.target || got.From != tt.from || plan.Initiator.V != tt.initiator {
			t.Errorf("%s: target %+v, initiator %+v", tt.name, got, plan.Initiator)
		}
	}
}

// All of the firmware's targets, the booted one first, by the NIC they name.
func TestFirmware(t *testing.T) {
	plan := planOf(t, "", "", firmware())
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	n := plan.Net
	if n.MAC.V != "02:00:00:00:00:02" || n.Address.V.String() != "10.1.1.5/24" || n.Gateway.From != "iBFT NIC 1" || len(plan.Targets) != 2 {
		t.Errorf("network %+v, targets %+v", n, plan.Targets)
	}
	if c := plan.Targets[0].CHAP; c.User.V != "u" || c.TargetUser.V != "t" || !c.TargetSecret.V.Equal(iscsi.NewSecret([]byte("sesame-open-34"))) {
		t.Errorf("CHAP %+v", c)
	}
	if multi := planOf(t, "rd.iscsi.mp", "", firmware()); len(multi.Net.Lines()) != 2 || multi.Check() != nil {
		t.Errorf("two NICs: %+v", multi.Net.IP)
	}
	table := firmware()
	table.Failover, table.NICs[1].Origin, table.NICs[1].VLAN = true, ibft.OriginDHCP, 5
	plan = planOf(t, "ip=ibft", "", table)
	if n := plan.Net; n.Interface.V != "ibft1.5" || n.MAC.Given() || len(n.VLANs) != 1 || n.VLANs[0].V != (bootspec.VLAN{Name: "ibft1.5", Parent: "02:00:00:00:00:02", ID: 5}) {
		t.Errorf("VLAN: %+v", n)
	}
	if err := plan.Check(); err != nil || len(plan.Targets) != 1 {
		t.Errorf("%v, %+v", err, plan.Targets)
	}
}

// Who set a secret up does not log in without one to what DHCP names.
func TestDHCPWeakensNothing(t *testing.T) {
	facts := bootspec.NetFacts{RootPath: "iscsi:10.1.1.10::::iqn.x:dhcp"}
	for _, tt := range []struct{ line, credentials, rootPath, want string }{
		{"", "", "", ""},
		{"iscsi_u=u iscsi_w=sesame-open-12", "", "", "the secret in iscsi_u= is not for it by name"},
		{"", "iqn.x:other u sesame-open-12", "", "the secret in /etc/iscsiroot/credentials is not for it"},
		{"", "iqn.x:dhcp u sesame-open-12", "", ""},
		{"", "", "iscsi:u:sesame-open-12@h::::iqn.x:dhcp", "root path, byte 8"},
		{"", "", "garbage", "does not begin with iscsi:"},
		{"iscsi_t=iqn.x:dhcp", "", "", ""},
		{"iscsi_t=iqn.x:a iscsi_a=10.1.1.1", "", "garbage", ""},
	} {
		plan := planOf(t, "iscsi_i=iqn.x:m iscsi_i_ip=10.1.1.5/24 "+tt.line, "", nil)
		var err error
		if plan.Credentials, err = bootspec.ParseCredentials([]byte(tt.credentials)); err != nil {
			t.Fatal(err)
		}
		// Without DHCP nothing may be missing before; that is Check's.
		if tt.line == "" || strings.HasPrefix(tt.line, "iscsi_u") || tt.line == "iscsi_t=iqn.x:dhcp" {
			plan.Net.IP = []bootspec.Value[bootspec.IP]{from(bootspec.IP{Methods: []bootspec.Method{bootspec.Off, bootspec.DHCP}}, "test")}
		}
		f := facts
		if tt.rootPath != "" {
			f.RootPath = tt.rootPath
		}
		spec, _, err := plan.Resolve(f)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sesame")) {
			t.Errorf("%+v: %+v, %v", tt, spec.Targets, err)
		}
		if tt.credentials != "" && err == nil && !spec.Targets[0].CHAP.Given() {
			t.Errorf("%+v: no CHAP", tt)
		}
	}
}

// The files of dracut and Debian, with what wins over what.
func TestGather(t *testing.T) {
	all, odd := bootspec.Gather(fstest.MapFS{
		"etc/cmdline.d/20.conf":    {Data: []byte("# of the builder\niscsi_lun=2 root=LABEL=b\n")},
		"etc/cmdline.d/10.conf":    {Data: []byte("iscsi_lun=1 rootflags=noatime root=/dev/vda1")},
		"etc/cmdline":              {Data: []byte("root=LABEL=c")},
		"etc/iscsi.initramfs":      {Data: []byte("ISCSI_TARGET_NAME=iqn.x:s # it\nexport ISCSI_TARGET_IP=\"10.1.1.1 10.1.1.2\"\nISCSI_PASSWORD=$(cat secret)\nif true\n")},
		"etc/initiatorname.iscsi":  {Data: []byte("## made by hand\nInitiatorName=iqn.x:m\n")},
		"etc/iscsiroot/policy":     {Data: []byte("rd.emergency=halt")},
		"etc/cmdline.d/large.conf": {Data: make([]byte, 65<<10)},
	}, cmdline.Parse("root=LABEL=d iscsi_i_ip=10.1.1.5/24 -- single"))
	plan, err := bootspec.Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(plan.Explain(), "\n")
	for _, want := range []string{
		"root LABEL=d (root=)", "lun 2 (iscsi_lun= in /etc/cmdline.d/20.conf)", "portal 10.1.1.2:3260 (iscsi_target_ip= in /etc/iscsi.initramfs)",
		"initiator iqn.x:m (iscsi_initiator= in /etc/initiatorname.iscsi)", "in an emergency halt (rd.emergency= in the image's policy)", "root mount options noatime",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if len(odd) != 3 || strings.Contains(strings.Join(odd, ""), "secret") || len(all.InitArgs) != 1 {
		t.Errorf("warnings %q, arguments %q", odd, all.InitArgs)
	}
}

// A root path is needed where no target is known without it.
func TestNeedsRootPath(t *testing.T) {
	for _, tt := range []struct {
		name, line, def string
		want, need      bool
	}{
		{"nothing", "ip=dhcp", "", true, true},
		{"a default", "ip=dhcp", low, true, false},
		{"a default of two targets", "ip=dhcp", low + " iscsi_t.2=iqn.x:low2 iscsi_a.2=10.1.1.9", true, false},
		{"a default without an address", "ip=dhcp", "iscsi_i=iqn.x:low iscsi_t=iqn.x:low", true, true},
		{"a default, and DHCP by word", "root=dhcp", low, true, true},
		{"a default of both", "ip=dhcp", low + " root=dhcp", true, false},
		{"a name", "ip=dhcp iscsi_t=iqn.x:t", "", true, true},
		{"a target", "ip=dhcp iscsi_t=iqn.x:t iscsi_a=10.1.1.9", "", false, false},
		{"a static address", "ip=10.1.1.5:::24::eth0:none", low, false, false},
	} {
		p := planOf(t, tt.line, tt.def, nil)
		if p.UsesRootPath() != tt.want || p.NeedsRootPath() != tt.need {
			t.Errorf("%s: wanted %v, needed %v", tt.name, p.UsesRootPath(), p.NeedsRootPath())
		}
	}
}
