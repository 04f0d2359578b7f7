package bootspec_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// An initiator without a name gets the one that iPXE would give it, and where the machine has no
// UUID of its own one of its NIC's MAC, with a warning.
func TestInitiatorAsIPXEHasIt(t *testing.T) {
	const uuid = "4c4c4544-0042-3610-8052-b4c04f4a4b31"
	const mac = "52:54:00:77:00:01"
	for _, tt := range []struct {
		line, uuid, host, option203, mac string
		want                             string
		odd                              string // part of the warning
	}{
		{"", uuid, "", "", mac, "iqn.2010-04.org.ipxe:" + uuid, ""},
		{"", uuid, "remote1", "", mac, "iqn.2010-04.org.ipxe:remote1", ""},
		{"", uuid, "remote1", "iqn.x:o", mac, "iqn.x:o", ""},
		{"iscsi_i=iqn.x:i", uuid, "remote1", "", mac, "iqn.x:i", ""},
		{"", "", "remote1", "", mac, "iqn.2010-04.org.ipxe:remote1", ""},
		{"", "", "", "", "", "", ""},
		{"", "", "", "", "00:00:00:00:00:00", "", ""},
		{"", "", "", "", mac, "iqn.2010-04.org.ipxe:52-54-00-77-00-01", "this machine has no UUID: its name is iqn.2010-04.org.ipxe:52-54-00-77-00-01, from the MAC"},
		{
			"", "03000200-0400-0500-0006-000700080009", "", "", mac, "iqn.2010-04.org.ipxe:52-54-00-77-00-01",
			"many machines have the UUID 03000200-0400-0500-0006-000700080009: its name is iqn.2010-04.org.ipxe:52-54-00-77-00-01, from the MAC",
		},
		{"", "03000200-0400-0500-0006-000700080009", "", "iqn.x:o", mac, "iqn.x:o", ""},
		{"", "03000200-0400-0500-0006-000700080009", "remote1", "", mac, "iqn.2010-04.org.ipxe:remote1", ""},
		{"", "03000200-0400-0500-0006-000700080009", "", "", "", "", ""},
	} {
		p, err := parse("ip=dhcp iscsi_t=iqn.x:t iscsi_a=10.1.1.7 " + tt.line)
		if err != nil {
			t.Fatal(err)
		}
		p.UUID = tt.uuid
		spec, odd, err := p.Resolve(bootspec.NetFacts{HostName: tt.host, Initiator: tt.option203, MAC: tt.mac})
		if spec.Initiator != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, spec.Initiator, err)
		}
		if text := strings.Join(odd, "\n"); !strings.Contains(text, tt.odd) || tt.odd == "" && text != "" {
			t.Errorf("%+v: warnings %q", tt, text)
		}
	}
}

// A UUID that many machines share names no machine.
func TestSharedUUIDs(t *testing.T) {
	for uuid, shared := range map[string]bool{
		"00000000-0000-0000-0000-000000000000": true,
		"ffffffff-ffff-ffff-ffff-ffffffffffff": true,
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF": true,
		"ffffff00-ffff-ffff-ffff-ffffffffffff": true,
		"56f49712-ffff-ffff-ffff-ffffffffffff": true,
		"11111111-1111-1111-1111-111111111111": true,
		"58585858-5858-5858-5858-585858585858": true,
		"fefefefe-fefe-fefe-fefe-fefefefefefe": true,
		"03000200-0400-0500-0006-000700080009": true,
		"00020003-0004-0005-0006-000700080009": true,
		"12345678-1234-5678-90ab-cddeefaabbcc": true,
		"78563412-3412-7856-90ab-cddeefaabbcc": true,
		"03020100-0504-0706-0809-0a0b0c0d0e0f": true,
		"4c4c4544-0000-2010-8020-80c04f202020": true,
		"deadbeef-dead-beef-dead-beefdeadbeef": true,
		"4c4c4544-0042-3610-8052-b4c04f4a4b31": false,
		"00000000-0000-0000-0000-ac1f6bd04978": false, // Supermicro's, with a MAC
		"03d40274-0435-05bf-d906-d20700080009": false, // AMI's default, with a MAC
		"uuid-of-the-machine":                  false,
	} {
		p, err := parse("iscsi_i_ip=10.1.1.5/24 iscsi_t=iqn.x:t iscsi_a=10.1.1.7")
		if err != nil {
			t.Fatal(err)
		}
		p.UUID = uuid
		if err := p.Check(); (err != nil) != shared {
			t.Errorf("%s: %v", uuid, err)
		}
		p.MACNames = true
		if err := p.Check(); err != nil {
			t.Errorf("%s beside a MAC: %v", uuid, err)
		}
	}
}

// Low memory is searched only where a table there would be used.
func TestWantsIBFT(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                  true,
		"iscsi_i=iqn.x:i iscsi_t=iqn.x:t":   false,
		"iscsi_t=iqn.x:t":                   true, // for the initiator's name
		"netroot=iscsi:10.1.1.180::::iqn.x": true,
		"iscsi_i=iqn.x:i iscsi_t=iqn.x:t ip=ibft":           true,
		"iscsi_i=iqn.x:i iscsi_t=iqn.x:t rd.iscsi.firmware": true,
		"iscsi_auto":                true,
		"netroot=iscsi":             true,
		"rd.iscsi.firmware=0":       false,
		"root=dhcp":                 true,
		"iscsi_i=iqn.x:i root=dhcp": false,
		"iscsi_i=iqn.x:i root=UUID=0123-4567 iscsi_a=10.1.1.180": true,
	} {
		p, err := parse(line)
		if got := p.UsesIBFT(); err != nil || got != want {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
}
