package bootspec_test

import (
	"os"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

// FuzzFirmware reads a command line together with any valid table: every line that is brought up
// has a method or an address, no two VLANs have one name, a plan that passes Check resolves, and no
// secret of the table is shown.
func FuzzFirmware(f *testing.F) {
	for _, name := range []string{"ipxe.bin", "ipxe-chap.bin", "twopaths.bin"} {
		b, err := os.ReadFile("../ibft/testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range []string{"", "rd.iscsi.firmware rd.iscsi.mp ip=ens2:ibft ip=ens3:dhcp", "netroot=iscsi:10.1.1.7::::iqn.x:t ip=ibft ip=52-54-00-12-34-57:ibft iscsi_lun=3"} {
			f.Add(b, line)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		if len(b) >= 48 && len(b) < 1<<16 { // the checksum would stop most
			b = append([]byte(nil), b...)
			b[9] = 0
			var sum byte
			for _, c := range b[:min(len(b), int(b[4])|int(b[5])<<8)] {
				sum += c
			}
			b[9] = -sum
		}
		table, err := ibft.Parse(b)
		if _, err = ibft.Usable(err); err != nil {
			return
		}
		plan, perr := bootspec.ParseWith(cmdline.Parse(text), &table)
		plan.MACNames = true
		checkSecrets(t, plan, perr)
		names := map[string]bool{}
		for _, v := range plan.Net.VLANs {
			if strings.HasPrefix(v.From, "iBFT ") && names[v.V.Name] {
				t.Errorf("two VLANs %s", v.V.Name)
			}
			names[v.V.Name] = true
		}
		for _, v := range plan.Net.Lines() {
			if m := v.V.Methods[0]; m == bootspec.Firmware || m == bootspec.Off || m == bootspec.Static && !v.V.Address.IsValid() {
				t.Errorf("%s: line %+v", v.From, v.V)
			}
		}
		_, _, err = plan.Resolve(bootspec.NetFacts{Address: plan.Net.Address.V, MAC: "52:54:00:12:34:56"})
		if err != nil && plan.Check() == nil && !plan.Net.Leased() {
			t.Errorf("Check returns nil, Resolve %v", err)
		}
	})
}
