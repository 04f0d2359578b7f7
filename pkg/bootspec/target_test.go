package bootspec_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Further targets have numbers, with the words in any order; without a portal of their own they
// have the first one's.
func TestTargets(t *testing.T) {
	plan, err := parse("iscsi_t.3=iqn.x:c iscsi_a.3=10.1.3.1 rd.iscsiroot.lun.3=7 iscsi_a=10.1.1.1,10.1.1.2 iscsi_t.1=iqn.x:a iscsi_t.2=iqn.x:b iscsi_p.2=3261 iscsi_u.2=u rd.iscsi.password.2=correct-horse-battery")
	if err != nil || len(plan.Warnings) != 1 {
		t.Fatal(err, plan.Warnings)
	}
	want := []struct {
		name, portals, user string
		lun                 iscsi.LUN
	}{
		{"iqn.x:a", "10.1.1.1:3260 10.1.1.2:3260 ", "", 0},
		{"iqn.x:b", "10.1.1.1:3261 10.1.1.2:3261 ", "u", 0},
		{"iqn.x:c", "10.1.3.1:3260 ", "", 7 << 48},
	}
	if len(plan.Targets) != len(want) {
		t.Fatalf("%d targets", len(plan.Targets))
	}
	for i, w := range want {
		got := plan.Targets[i]
		portals := ""
		for _, p := range got.Portals {
			portals += p.V.String() + " "
		}
		if got.Number != i+1 || got.Name.V != w.name || portals != w.portals || got.CHAP.User.V != w.user || got.LUN.V != w.lun {
			t.Errorf("got %+v, want %+v", got, w)
		}
	}
	if from := plan.Targets[1].Portals[0].From; from != "iscsi_a=, iscsi_p.2=" {
		t.Errorf("portal of the second target from %s", from)
	}
}

// Numbers that no target can have are reported.
func TestTargetNumbers(t *testing.T) {
	for _, text := range []string{"iscsi_t.0=x", "iscsi_t.10=x", "iscsi_i.2=x", "iscsi_chap.2=md5", "rd.iscsiroot.initiator.2=x"} {
		plan, err := parse(text)
		if err != nil || len(plan.Targets) != 0 || len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "is not understood") {
			t.Errorf("%s: %+v, %v", text, plan, err)
		}
	}
}

// A user without a secret, or the reverse, is an error.
func TestCheckCHAP(t *testing.T) {
	const rest = base + "iscsi_i_ip=10.1.1.165/24 iscsi_a=10.1.1.180 "
	for _, tt := range []struct{ text, want string }{
		{"iscsi_u=u", "the CHAP secret of this machine is not given: write iscsi_w=SECRET"},
		{"iscsi_w=correct-horse-battery", "the CHAP user of this machine is not given: write iscsi_u=NAME"},
		{"iscsi_u=u iscsi_w=correct-horse-battery iscsi_U=t", "the CHAP secret of the target is not given: write iscsi_W=SECRET"},
		{"iscsi_W=correct-horse-battery", "the CHAP user of this machine is not given: write iscsi_u=NAME"},
		{"iscsi_t.2=iqn.x:b iscsi_u.2=u", "the CHAP secret of this machine is not given: write iscsi_w.2=SECRET"},
		{"iscsi_a.2=10.1.1.1", "the target name is not given: write iscsi_t.2=NAME"},
		{"iscsi_u=u iscsi_w=correct-horse-battery iscsi_W=correct-horse-battery", "target iqn.2007-01.com.example:b: CHAP: the same secret in both directions"},
		{"iscsi_u=u iscsi_w=correct-horse-battery iscsi_W=other-horse-battery", ""},
		{"iscsi_u=u iscsi_w=short", ""}, // the login warns
	} {
		plan, err := parse(rest + tt.text)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Check()
		if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}

// No message contains a secret; one warning names the alternative.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "correct-horse-battery"
	plan, err := parse("iscsi_w=" + secret + " iscsi_w=other-horse-battery rd.iscsi.in.password=" + secret + " iscsi_w.2=0x" + secret +
		" iscsi_W=" + strings.Repeat(secret, 20))
	var bad *bootspec.ParamError
	if !errors.As(err, &bad) {
		t.Fatalf("error is %v, want a ParamError", err)
	}
	all := err.Error() + bad.Param.String() + strings.Join(append(plan.Warnings, plan.Explain()...), "\n")
	if strings.Contains(all, "horse") || !strings.Contains(all, "iscsi_w=[redacted]") {
		t.Errorf("messages:\n%s", all)
	}
	if n := strings.Count(all, "/proc/cmdline"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, all)
	}
	for key, want := range map[string]bool{"iscsi_w": true, "iscsi_W.2": true, "rd.iscsi.password": true, "iscsi_u": false, "iscsi_x": false, "w": false} {
		if bootspec.Secrets(key) != want {
			t.Errorf("Secrets(%q) is %v", key, !want)
		}
	}
}

// The strongest hash comes first for any order of the words.
func TestAlgorithms(t *testing.T) {
	plan, err := parse("iscsi_chap=md5,SHA3-256,sha-256")
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Login.CHAPAlgorithms()
	if len(got) != 3 || got[0] != iscsi.SHA3_256 || got[1] != iscsi.SHA256 || got[2] != iscsi.MD5 {
		t.Errorf("got %v", got)
	}
	if (bootspec.Login{}).CHAPAlgorithms() != nil {
		t.Error("no word is not all of them")
	}
}

// An address that is good on one link only gets the link that came up, and the name servers of the
// command line come before the network's.
func TestResolveNet(t *testing.T) {
	plan, err := parse(base + "iscsi_i_ip=10.1.1.165/24 iscsi_a=fe80::1,[fe80::2%eth7]:860,storage,169.254.1.1 nameserver=10.1.1.1 nameserver=10.1.1.2")
	if err != nil {
		t.Fatal(err)
	}
	spec, warnings, err := plan.Resolve(bootspec.NetFacts{
		Interface: "eth0", Address: netip.MustParsePrefix("10.1.1.165/24"), Nameservers: []netip.Addr{netip.MustParseAddr("10.1.1.3")},
	})
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	var got []string
	for _, p := range spec.Targets[0].Portals {
		got = append(got, p.V.String())
	}
	for _, n := range spec.Nameservers {
		got = append(got, n.String())
	}
	if s := strings.Join(got, " "); s != "[fe80::1%eth0]:3260 [fe80::2%eth7]:860 storage:3260 169.254.1.1:3260 10.1.1.1 10.1.1.2 10.1.1.3" {
		t.Errorf("got %s", s)
	}
	if plan.Targets[0].Portals[0].V.Host != "fe80::1" {
		t.Error("the plan was changed")
	}
}
