package bootspec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// The policy takes precedence, with a warning, and only the policy gives the password, which is not
// shown.
func TestPolicy(t *testing.T) {
	line := cmdline.Parse("rd.timeout=5 rd.shell rd.shell.password=$6$mine$x rd.emergency=halt")
	policy := cmdline.Parse("rd.shell.password=$6$salt$secret rd.emergency=reboot")
	plan, err := bootspec.Parse(bootspec.Add(line, policy, bootspec.FromPolicy))
	if err != nil {
		t.Fatal(err)
	}
	if plan.Policy.Password.V != "$6$salt$secret" || plan.Policy.Emergency.V != bootspec.Reboot {
		t.Errorf("policy is %+v", plan.Policy)
	}
	if len(line.Params) != 4 || line.Params[0].Origin != "" {
		t.Errorf("the command line became %+v", line)
	}
	want := []string{
		"rd.shell.password= is valid only in the image's policy, /etc/iscsiroot/policy: it is ignored",
		"rd.emergency is given twice with different values, the last one is used: rd.emergency=reboot",
	}
	if strings.Join(plan.Warnings, "|") != strings.Join(want, "|") {
		t.Errorf("warnings are %q", plan.Warnings)
	}
	text := strings.Join(plan.Explain(), "\n") + fmt.Sprintf("%v %+v %#v", plan, plan, plan)
	if strings.Contains(text, "secret") || strings.Contains(text, "$6$") {
		t.Errorf("the hash is shown: %s", text)
	}
	for _, line := range []string{"password of the shell [redacted] (rd.shell.password= in the image's policy)", "in an emergency reboot (rd.emergency= in the image's policy)"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in %s", line, text)
		}
	}
}

// A mistake in the policy is shown where it is.
func TestPolicyMistake(t *testing.T) {
	_, err := bootspec.Parse(bootspec.Add(cmdline.Parse("quiet"), cmdline.Parse("rd.emergency=sleep"), bootspec.FromPolicy))
	if err == nil || !strings.Contains(err.Error(), "parameter rd.emergency=sleep (byte 0 of the image's policy): ") {
		t.Errorf("error is %v", err)
	}
}

// No word on the command line overrides the policy's target and address.
func TestPolicyTarget(t *testing.T) {
	const policy = "netroot=iscsi:10.1.1.1::::iqn.x:p ip=10.1.1.5:::24::eth0:none"
	for _, line := range []string{
		"iscsi_t=iqn.x:a iscsi_a=10.1.1.2 iscsi_i_ip=10.1.2.5/24", "netroot=iscsi:10.1.1.2::::iqn.x:a ip=dhcp", "root=iscsi:10.1.1.2::::iqn.x:a ip=10.1.2.5:::24::eth1:none",
	} {
		plan, err := bootspec.Parse(bootspec.Add(cmdline.Parse(line), cmdline.Parse(policy), bootspec.FromPolicy))
		if err != nil || len(plan.Targets) != 1 || plan.Targets[0].Name.V != "iqn.x:p" || plan.Net.Address.V.String() != "10.1.1.5/24" || len(plan.Net.IP) != 1 {
			t.Errorf("%s: %v, %+v, %+v", line, err, plan.Targets, plan.Net)
		}
	}
	plan, err := bootspec.Parse(bootspec.Add(cmdline.Parse("netroot=iscsi:10.1.1.2::::iqn.x:a"), cmdline.Parse("iscsi_t=iqn.x:p iscsi_a=10.1.1.1"), bootspec.FromPolicy))
	if err != nil || len(plan.Targets) != 1 || plan.Targets[0].Name.V != "iqn.x:p" {
		t.Errorf("%v, %+v", err, plan.Targets)
	}
}
