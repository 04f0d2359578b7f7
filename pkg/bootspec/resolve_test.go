package bootspec_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

const base = "iscsi_i=iqn.2007-01.com.example:a iscsi_t=iqn.2007-01.com.example:b "

// Resolve copies the plan's values to the Spec.
func TestResolve(t *testing.T) {
	plan, err := parse(base + "iscsi_i_ip=10.1.1.165/26 iscsi_a=10.1.1.180 iscsi_lun=3 root=/dev/sda1 rw init=/bin/sh rd.timeout=5")
	if err != nil {
		t.Fatal(err)
	}
	spec, warnings, err := plan.Resolve(bootspec.NetFacts{Interface: "eth0", Address: plan.Net.Address.V})
	if err != nil || warnings != nil {
		t.Fatalf("warnings %q, error %v", warnings, err)
	}
	want := bootspec.Spec{
		Initiator: "iqn.2007-01.com.example:a",
		Targets:   plan.Targets,
		Root:      plan.Root,
		Init:      plan.Init,
		Policy:    plan.Policy,
	}
	if diff := cmp.Diff(want, spec, equal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestResolveWarns(t *testing.T) {
	const outside = "target address 10.1.2.180 is outside of this machine's network 10.1.1.0/24 and no gateway is given: write iscsi_gw=ADDRESS, or correct the mask in iscsi_i_ip="
	tests := []struct{ name, own, portal, gateway, want string }{
		{"same network", "10.1.1.5/24", "10.1.1.180", "", ""},
		{"other network", "10.1.1.5/24", "10.1.2.180", "", outside},
		{"other network by a gateway", "10.1.1.5/24", "10.1.2.180", "10.1.1.1", ""},
		{"link-local", "2001:db8::5/64", "fe80::1", "", ""},
		{"link-local with zone", "2001:db8::5/64", "fe80::1%eth0", "", ""},
		{"this machine", "10.1.1.5/24", "127.0.0.1", "", ""},
		{"address unknown", "", "10.1.2.180", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := parse(base + "iscsi_i_ip=10.9.9.9/24 iscsi_a=" + tt.portal)
			if err != nil {
				t.Fatal(err)
			}
			var facts bootspec.NetFacts
			if tt.own != "" {
				facts.Address = netip.MustParsePrefix(tt.own)
			}
			if tt.gateway != "" {
				facts.Gateway = netip.MustParseAddr(tt.gateway)
			}
			_, warnings, err := plan.Resolve(facts)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(warnings, "\n"); got != tt.want {
				t.Errorf("warning is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestResolveIncomplete(t *testing.T) {
	plan, err := parse(base)
	if err != nil {
		t.Fatal(err)
	}
	var missing *bootspec.MissingError
	if _, _, err := plan.Resolve(bootspec.NetFacts{}); !errors.As(err, &missing) {
		t.Errorf("error is %v, want a MissingError", err)
	}
}

func TestExplain(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `
root read-write false (default)
in an emergency reboot (default)`},
		{base + `iscsi_i_ip=10.1.1.165/26 iscsi_if=eth1 iscsi_gw=10.1.1.129 iscsi_a=10.1.1.180 iscsi_p=3261 iscsi_g=2 rd.iscsiroot.lun=0x10
			root=/dev/sdab7 rootfstype=ext3 rootflags=noatime rw init=/bin/sh rd.timeout=90 rd.shell rd.emergency=halt rd.break=login,mount`, `
interface eth1 (iscsi_if=)
address 10.1.1.165/26 (iscsi_i_ip=)
gateway 10.1.1.129 (iscsi_gw=)
initiator iqn.2007-01.com.example:a (iscsi_i=)
target iqn.2007-01.com.example:b (iscsi_t=)
portal 10.1.1.180:3261 (iscsi_a=, iscsi_p=)
portal group 2 (iscsi_g=)
lun 16 (rd.iscsiroot.lun=)
root /dev/sdab7 (root=)
root file system ext3 (rootfstype=)
root mount options noatime (rootflags=)
root read-write true (rw)
init /bin/sh (init=)
time limit 1m30s (rd.timeout=)
shell on failure built-in (rd.shell)
in an emergency halt (rd.emergency=)
break before login (rd.break=)
break before mount (rd.break=)`},
	}
	for _, tt := range tests {
		plan, err := parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got := "\n" + strings.Join(plan.Explain(), "\n")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// The table is what iscsiroot-parameters(7) shows: no row is empty, no name is in it twice.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range bootspec.Table() {
		for _, key := range row.Names() {
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
		if row.Key == "" || row.Help == "" {
			t.Errorf("row %q has no key or no help", row.Key)
		}
		if row.Key == "iscsi_noibft" {
			continue // rd.iscsi.firmware=0 is the dotted one
		}
		if strings.HasPrefix(row.Key, "iscsi_") && (len(row.Aliases) == 0 || !strings.HasPrefix(row.Aliases[0], "rd.iscsiroot.")) {
			t.Errorf("%s has no dotted alias, so it costs a place in init's environment", row.Key)
		}
	}
}
