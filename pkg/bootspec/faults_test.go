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
	const counts = ": it is given again, and the last one is used"
	for _, tt := range []struct {
		line     string
		odd, err string // parts
	}{
		{"iscsi_p=x iscsi_p=3261", "iscsi_p=x is ignored: this is not a TCP port" + counts, ""},
		{"iscsi_p iscsi_p=3261", "iscsi_p is ignored: it has no value" + counts, ""},
		{"iscsi_p=x rd.iscsiroot.port=3261", "iscsi_p=x is ignored", ""},
		{"iscsi_p=x iscsi_p=y iscsi_p=3261", "iscsi_p=y is ignored", ""},
		{"iscsi_p=x iscsi_p.2=3261 iscsi_t.2=iqn.x:b", "", "parameter iscsi_p=x"},
		{"iscsi_p.2=x iscsi_t.2=iqn.x:b iscsi_p.2=3261", "iscsi_p.2=x is ignored", ""},
		{"iscsi_p=3261 iscsi_p=x", "", "parameter iscsi_p=x"},
		{"iscsi_p=x iscsi_p=y", "", "parameter iscsi_p=y"},
		{"root=/dev/nfs root=LABEL=a", "root=/dev/nfs is ignored", ""},
		{"root=/dev/vda1 root=LABEL=a", "is given twice", ""},
		{"root=LABEL=a root=/dev/vda1", "is given twice", "root=/dev/vda1"},
		{"root=iscsi:h root=LABEL=a", "", "parameter root=iscsi:h"},
		{"root=/dev/dm-0 root=iscsi:10.1.1.7::::iqn.x:r", "", "parameter root=/dev/dm-0"},
		{"root=/dev/nfs root=/dev/root", "root=/dev/nfs is ignored", ""},
		{"rootfstype=EXT4 rootfstype=auto", "rootfstype=EXT4 is ignored", ""},
		{"iscsi_w=0xz iscsi_u=u iscsi_w=sesame-open-12", "iscsi_w=[redacted] is ignored", ""},
		{"rd.iscsi.param=node.conn[0].iscsi.DataDigest=x rd.iscsi.param=node.conn[0].iscsi.DataDigest=None", "is ignored", ""},
		{"rd.iscsi.param=node.conn[0].iscsi.DataDigest=x rd.iscsi.param=node.conn[0].iscsi.HeaderDigest=None", "", "not a digest policy"},
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

// An invalid value of a repeated parameter is ignored with a warning if another one is valid; alone
// it is refused.
func TestUnreadableOfSeveral(t *testing.T) {
	for _, tt := range []struct{ odd, beside, needed string }{
		{"ip=frob", "ip=dhcp", "ip=eth0:dhcp"},
		{"ip=frob", "ip=:::::all:dhcp", "ip=none"},
		{"ip=eth0:dhpc", "ip=dhcp", "ip=eth1:dhcp"},
		{"ip=eth0:dhpc", "ip=eth0:dhcp", "ip=eth0:none"},
		{"ip=10.1.1.5:::255.0.255.0::eth0:none", "ip=10.1.1.6:::24::eth0:none", "ip=10.1.1.6:::24::eth1:none"},
		{"ip=52-54-00-12-34-56:dhpc", "ip=52-54-00-12-34-56:dhcp", "ip=52-54-00-12-34-57:dhcp"},
		{"nfsaddrs=frob", "ip=dhcp", ""},
		{"nameserver=x", "nameserver=1.1.1.1", "iscsi_gw=10.1.1.1"},
		{"nameserver", "nameserver=1.1.1.1", ""},
		{"netroot=frob", "netroot=iscsi:10.1.1.7::::iqn.x:t", "iscsi_p=3260"},
		{"netroot=iscsi:h", "netroot=iscsi:10.1.1.7::::iqn.x:t", "iscsi_t=iqn.x:t iscsi_a=10.1.1.7"},
		{"iscsiroot=h", "netroot=iscsi:10.1.1.7::::iqn.x:t", ""},
		{"root=iscsi:h", "netroot=iscsi:10.1.1.7::::iqn.x:t", "root=LABEL=a"},
		{"vlan=a:b", "vlan=vlan5:eth0", "vlan=vlan5:eth0 ip=a:dhcp"},
		{"bond=a:,", "bond=bond0:eth0,eth1", "bridge=br0:eth0"},
		{"bridge=a", "bridge=br0:eth0", "bond=bond0:eth0,eth1"},
		{"ifname=a:52:54", "ifname=b:52:54:00:12:34:56", "ifname=b:52:54:00:12:34:56 iscsi_if=a"},
		{"rd.route=x", "rd.route=10.2.0.0/16:10.1.1.1", ""},
		{"rootfallback=x", "rootfallback=LABEL=a", "root=LABEL=a"},
		{"team=a:eth0", "ro", "team=b:eth1"},
	} {
		for _, line := range []string{tt.odd, tt.odd + " " + tt.needed, tt.needed + " " + tt.odd} {
			if _, err := parse(line); err == nil || !strings.Contains(err.Error(), "parameter "+tt.odd+" (") {
				t.Errorf("%s: error is %v", line, err)
			}
		}
		for _, line := range []string{tt.odd + " " + tt.beside, tt.beside + " " + tt.odd} {
			plan, err := parse(line)
			if messages := strings.Join(plan.Warnings, "\n"); tt.beside != "ro" && (err != nil || !strings.Contains(messages, tt.odd+" is ignored: ") || !strings.Contains(messages, "= is used")) {
				t.Errorf("%s: %v, warnings %q", line, err, messages)
			}
		}
	}
}

// Beside a source that names a target a root of another protocol is ignored, as in dracut; it is
// refused where none does.
func TestOtherProtocol(t *testing.T) {
	for _, odd := range []string{
		"netroot=nbd:10.1.1.1:x", "netroot=nfs:10.1.1.1:/x", "netroot=fcoe:eth0:dcb", "netroot=frob", "netroot=iscsi:10.1.1.180:17:::iqn.x:y", "root=iscsi:10.1.1.180:17:::iqn.x:y",
		"iscsiroot=10.1.1.180:udp:::iqn.x:y", "root=nbd:10.1.1.1:x", "root=/dev/nbd0", "root=/dev/nfs", "root=nfs:10.1.1.1:/x", "root=cifs://10.1.1.1/x", "root=fcoe:eth0:dcb", "root=virtiofs:x",
		"root=http://10.1.1.1/x",
	} {
		for _, source := range []string{"iscsi_t=iqn.x:t iscsi_a=10.1.1.7", "netroot=iscsi:10.1.1.7::::iqn.x:t", "netroot=dhcp"} {
			for _, line := range []string{odd + " " + source, source + " " + odd} {
				plan, err := parse(line)
				messages := strings.Join(plan.Warnings, "\n")
				if err != nil || strings.Count(messages, " is ignored: ") != 1 || plan.Root.Device.Given() {
					t.Errorf("%s: %v, warnings %q", line, err, messages)
				}
			}
		}
		if plan := planOf(t, odd, "", remote1()); !strings.Contains(strings.Join(plan.Warnings, "\n"), ": iBFT target 0 names the target") {
			t.Errorf("%s beside an iBFT: warnings %q", odd, plan.Warnings)
		}
		if _, err := parse("ip=dhcp " + odd); err == nil {
			t.Errorf("%s alone: no error", odd)
		}
	}
}

// Several targets in netroot= are several sessions, as in dracut.
func TestTwoNetroots(t *testing.T) {
	p, err := parse("netroot=iscsi:10.1.1.7::::iqn.x:a netroot=iscsi:10.1.1.8:::1:iqn.x:b netroot=iscsi:10.1.1.9::::iqn.x:a")
	if err != nil || len(p.Warnings) > 0 || len(p.Targets) != 2 || p.Targets[0].Name.V != "iqn.x:a" || len(p.Targets[0].Portals) != 2 || p.Targets[1].Name.V != "iqn.x:b" {
		t.Errorf("%+v, %v, %q", p.Targets, err, p.Warnings)
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

// DHCP's LUN applies only to a target that DHCP names.
func TestLUNOfDHCP(t *testing.T) {
	const passed = "lun 1 is from DHCP option 17 and is ignored, because iscsi_t"
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

// A value of a target without a name takes precedence over the iBFT if it is on the command line,
// and not if it is in the image's default.
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
