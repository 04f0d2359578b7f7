package bootspec_test

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Who has no name for the initiator gets the one that iPXE would give it.
func TestInitiatorAsIPXEHasIt(t *testing.T) {
	const uuid = "4c4c4544-0042-3610-8052-b4c04f4a4b31"
	for _, tt := range []struct {
		line, uuid, host, option203 string
		want                        string
	}{
		{"", uuid, "", "", "iqn.2010-04.org.ipxe:" + uuid},
		{"", uuid, "remote1", "", "iqn.2010-04.org.ipxe:remote1"},
		{"", uuid, "remote1", "iqn.x:o", "iqn.x:o"},
		{"iscsi_i=iqn.x:i", uuid, "remote1", "", "iqn.x:i"},
		{"", "", "remote1", "", "iqn.2010-04.org.ipxe:remote1"},
		{"", "", "", "", ""},
	} {
		p, err := parse("ip=dhcp iscsi_t=iqn.x:t iscsi_a=10.1.1.7 " + tt.line)
		if err != nil {
			t.Fatal(err)
		}
		p.UUID = tt.uuid
		spec, _, err := p.Resolve(bootspec.NetFacts{HostName: tt.host, Initiator: tt.option203})
		if spec.Initiator != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, spec.Initiator, err)
		}
	}
}

// Low memory is searched only where a table there would be used.
func TestWantsIBFT(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                       true,
		"iscsi_t=iqn.x:t":                        false,
		"iscsi_t=iqn.x:t ip=ibft":                true,
		"iscsi_t=iqn.x:t rd.iscsi.firmware":      true,
		"iscsi_auto":                             true,
		"netroot=iscsi":                          true,
		"rd.iscsi.firmware=0":                    false,
		"root=dhcp":                              false,
		"root=UUID=0123-4567 iscsi_a=10.1.1.180": true,
	} {
		p, err := parse(line)
		if got := p.WantsIBFT(); err != nil || got != want {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
}
