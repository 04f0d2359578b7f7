package login

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Advice that names parameters names the other source of a value.
func TestSources(t *testing.T) {
	for _, tt := range []struct{ line, option203, rootPath, want string }{
		{"iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.1.1.7", "", "", ""},
		{"iscsi_t=iqn.x:t iscsi_a=10.1.1.7", "iqn.x:o", "", "the initiator name is from DHCP option 203"},
		{"iscsi_t=iqn.x:t iscsi_a=10.1.1.7", "", "", "the initiator name is from the MAC of the boot's NIC"},
		{"iscsi_i=iqn.x:m", "", "iscsi:10.1.1.7::::iqn.x:d", "the target name is from DHCP option 17"},
		{"iscsi_i=iqn.x:m iscsi_t=iqn.x:d", "", "iscsi:10.1.1.7::::iqn.x:d", "the target's address is from DHCP option 17"},
		{"iscsi_i=iqn.x:m netroot=iscsi:10.1.1.7::::iqn.x:n", "", "", ""},
	} {
		plan, err := bootspec.Parse(cmdline.Parse("ip=dhcp " + tt.line))
		if err != nil {
			t.Fatal(err)
		}
		spec, _, err := plan.Resolve(bootspec.NetFacts{MAC: "52:54:00:77:00:01", Initiator: tt.option203, RootPath: tt.rootPath})
		if got := sources(spec, 0); err != nil || got != tt.want {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

// A LUN is given where a source names one for the target: DHCP does for its own, if its root path
// has one, and not for a target of another source.
func TestSourceOfLUN(t *testing.T) {
	const dhcp, other = "iscsi:10.1.1.7:::1:iqn.x:d", "netroot=iscsi:10.1.1.7::::iqn.x:d"
	for _, tt := range []struct{ line, rootPath, want string }{
		{other, "", ""},
		{other, dhcp, ""},
		{"", dhcp, "DHCP option 17"},
		{"", "iscsi:10.1.1.7:::0:iqn.x:d", "DHCP option 17"},
		{"", "iscsi:10.1.1.7::::iqn.x:d", ""},
		{"iscsi_lun=2", dhcp, "iscsi_lun="},
		{"netroot=iscsi:10.1.1.7:::0:iqn.x:d", "", "netroot="},
	} {
		plan, err := bootspec.Parse(cmdline.Parse("ip=dhcp iscsi_i=iqn.x:m " + tt.line))
		if err != nil {
			t.Fatal(err)
		}
		spec, _, err := plan.Resolve(bootspec.NetFacts{RootPath: tt.rootPath})
		if err != nil || len(spec.Targets) != 1 || spec.Targets[0].LUN.From != tt.want {
			t.Errorf("%+v: %+v, %v", tt, spec.Targets, err)
		}
	}
}
