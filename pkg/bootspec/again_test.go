package bootspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A value that cannot be read is harmless where a later word gives it.
func TestGivenAgain(t *testing.T) {
	const counts = ": it is given again, and the last one counts"
	for _, tt := range []struct {
		line     string
		odd, err string // parts
	}{
		{"iscsi_p=x iscsi_p=3261", "iscsi_p=x is passed over: this is no TCP port" + counts, ""},
		{"iscsi_p iscsi_p=3261", "iscsi_p is passed over: it has no value" + counts, ""},
		{"iscsi_p=x rd.iscsiroot.port=3261", "iscsi_p=x is passed over", ""},
		{"iscsi_p=x iscsi_p=y iscsi_p=3261", "iscsi_p=y is passed over", ""},
		{"iscsi_p=x iscsi_p.2=3261 iscsi_t.2=iqn.x:b", "", "parameter iscsi_p=x"},
		{"iscsi_p.2=x iscsi_t.2=iqn.x:b iscsi_p.2=3261", "iscsi_p.2=x is passed over", ""},
		{"iscsi_p=3261 iscsi_p=x", "", "parameter iscsi_p=x"},
		{"iscsi_p=x iscsi_p=y", "", "parameter iscsi_p=y"},
		{"root=/dev/nfs root=LABEL=a", "root=/dev/nfs is passed over", ""},
		{"root=/dev/vda1 root=LABEL=a", "is given twice", ""},
		{"root=LABEL=a root=/dev/vda1", "is given twice", "root=/dev/vda1"},
		{"root=iscsi:h root=LABEL=a", "", "parameter root=iscsi:h"},
		{"root=/dev/nfs root=iscsi:10.1.1.7::::iqn.x:r", "", "parameter root=/dev/nfs"},
		{"root=/dev/nfs root=/dev/root", "root=/dev/nfs is passed over", ""},
		{"rootfstype=EXT4 rootfstype=auto", "rootfstype=EXT4 is passed over", ""},
		{"iscsi_w=0xz iscsi_u=u iscsi_w=sesame-open-12", "iscsi_w=[redacted] is passed over", ""},
		{"rd.iscsi.param=node.conn[0].iscsi.DataDigest=x rd.iscsi.param=node.conn[0].iscsi.DataDigest=None", "is passed over", ""},
		{"rd.iscsi.param=node.conn[0].iscsi.DataDigest=x rd.iscsi.param=node.conn[0].iscsi.HeaderDigest=None", "", "no way to use a digest"},
		// Of these each counts.
		{"ip=nonsense ip=eth0:dhcp", "", "nonsense is no method"},
		{"nameserver=x nameserver=10.1.1.1", "", "parameter nameserver=x"},
		{"netroot=iscsi:h netroot=iscsi:10.1.1.7::::iqn.x:t", "", "parameter netroot=iscsi:h"},
		{"vlan=a:b vlan=vlan5:eth0", "", "parameter vlan=a:b"},
		{"rootfallback=x rootfallback=LABEL=a", "", "parameter rootfallback=x"},
	} {
		plan, err := parse(tt.line)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.line, err, tt.err)
		}
		if odd := strings.Join(plan.Warnings, "\n"); !strings.Contains(odd, tt.odd) || tt.odd == "" && odd != "" || strings.Contains(odd, "0xz") {
			t.Errorf("%s: warnings %q, want %q", tt.line, odd, tt.odd)
		}
	}
}

// Beside netroot= three ways not to name a device mean the same.
func TestRootBesideNetroot(t *testing.T) {
	const line = "iscsi_i=iqn.x:m netroot=iscsi:10.1.1.7::::iqn.x:t"
	want, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"root=/dev/root ", "root=dhcp ", "root=dhcp6 "} {
		for _, text := range []string{root + line, line + " " + root} {
			got, err := parse(text)
			if diff := cmp.Diff(want, got, equal); err != nil || diff != "" {
				t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
			}
		}
	}
	if p, err := parse("root=dhcp"); err != nil || !p.ByDHCP.V {
		t.Errorf("root=dhcp alone: %+v, %v", p.ByDHCP, err)
	}
	for _, text := range []string{
		"root=LABEL=a root=/dev/root", "root=LABEL=a root=dhcp", "root=/dev/root root=LABEL=a", "root=/dev/vda1 root=LABEL=a",
		"root=/dev/vda1 real_root=LABEL=a", "real_root=LABEL=a root=/dev/sda2", "rootdev=mmcblk0p1 root=LABEL=a", "root=LABEL=a rootdev=/dev/sda3",
	} {
		if p, err := parse(text); err != nil || p.Root.Device.V.Text != "a" {
			t.Errorf("%s: root is %+v, %v", text, p.Root.Device, err)
		}
	}
	for _, text := range []string{"root=/dev/vda1 root=dhcp", "root=/dev/vda1 root=/dev/ram0", "root=/dev/vda1 root=/dev/root"} {
		if p, err := parse(text); err != nil || p.Root.Device.Given() {
			t.Errorf("%s: root is %+v, %v", text, p.Root.Device, err)
		}
	}
}

// DHCP's LUN counts for a target that DHCP names, and no other.
func TestLUNOfDHCP(t *testing.T) {
	const passed = "lun 1 is from DHCP option 17 and does not count, because iscsi_t"
	facts := bootspec.NetFacts{RootPath: "iscsi:10.1.1.7:::1:iqn.x:t"}
	for _, tt := range []struct {
		line string
		want bootspec.Value[iscsi.LUN]
		odd  string
	}{
		{"", from(iscsi.MakeLUN(1), "DHCP option 17"), ""},
		{"iscsi_lun=3", from(iscsi.MakeLUN(3), "iscsi_lun="), ""},
		{"iscsi_t=iqn.x:t", bootspec.Value[iscsi.LUN]{}, passed + "= names the target: write iscsi_lun=1 if root is there"},
		{"iscsi_t=iqn.x:t iscsi_lun=1", from(iscsi.MakeLUN(1), "iscsi_lun="), ""},
		{"iscsi_t=iqn.x:t iscsi_lun=2", from(iscsi.MakeLUN(2), "iscsi_lun="), passed},
	} {
		plan, err := parse("ip=dhcp iscsi_i=iqn.x:m " + tt.line)
		if err != nil {
			t.Fatal(err)
		}
		spec, odd, err := plan.Resolve(facts)
		if err != nil || spec.Targets[0].LUN != tt.want || len(spec.Targets[0].Portals) != 1 {
			t.Errorf("%s: %+v, %v", tt.line, spec.Targets, err)
		}
		if text := strings.Join(odd, "\n"); !strings.Contains(text, tt.odd) || tt.odd == "" && text != "" {
			t.Errorf("%s: warnings %q, want %q", tt.line, text, tt.odd)
		}
	}
}

// What the command line says of a target without naming one counts before the
// iBFT, and the image's default does not.
func TestFirmwareBelowTheLine(t *testing.T) {
	const line = "iscsi_lun=5 iscsi_a=10.77.0.9"
	for _, tt := range []struct{ line, def, want string }{
		{line, "", "10.77.0.9:3260 (iscsi_a=) lun 5 (iscsi_lun=)"},
		{"", line, "10.77.0.1:3260 (iBFT target 0) lun 1 (iBFT target 0)"},
		{"", "", "10.77.0.1:3260 (iBFT target 0) lun 1 (iBFT target 0)"},
	} {
		got := strings.Join(planOf(t, tt.line, tt.def, remote1()).Explain(), " ")
		if !strings.Contains(got, tt.want) {
			t.Errorf("%q, default %q: no %q in\n%s", tt.line, tt.def, tt.want, got)
		}
	}
}
