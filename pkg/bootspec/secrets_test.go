package bootspec_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// marker is a secret in a place that is not for secrets.
const marker = "sesame"

// strays are the texts that users put before a host or a name, with a secret in it.
func strays() []string {
	return []string{"user:" + marker + "@", marker + "@", "iscsi:user:" + marker + "@", "iscsi://user:" + marker + "@", "user:" + marker + ":target:" + marker + "2@"}
}

// misplaced returns a value with a secret at each place where a part of it begins. A label, and
// what follows the type of an iSCSI name, can be any text.
func misplaced(good string) []string {
	var out []string
	end := len(good)
	for _, free := range []string{"LABEL=", "by-label/", "by-id/", "iqn.", "eui.", "naa."} {
		if i := strings.Index(good, free); i >= 0 {
			end = min(end, i)
		}
	}
	for _, stray := range strays() {
		out = append(out, stray+"storage", stray)
		for i := range end + 1 {
			if i == 0 || i < len(good) && strings.IndexByte(":,=/.[", good[i-1]) >= 0 {
				out = append(out, good[:i]+stray+good[i:])
			}
		}
	}
	return out
}

// For each parameter, in each place of its value, behind a colon or a blank in place of the =, and
// under a name that is mistyped: a secret is not in any message.
func TestMisplacedSecrets(t *testing.T) {
	values := map[string][]string{}
	for _, tt := range append(goods, netGoods...) {
		values[tt.key] = append(values[tt.key], tt.value)
	}
	lines := 0
	for _, row := range bootspec.Table() {
		for _, good := range append(values[row.Key], "") {
			for _, value := range misplaced(good) {
				lines++
				name := row.Names()[lines%len(row.Names())]
				checkNoSecret(t, name+"="+value)
				checkNoSecret(t, name+"="+good+" "+name+"="+value)
			}
		}
		for _, name := range row.Names() {
			for _, text := range []string{":" + marker, ":user:" + marker + "@storage", "@" + marker, "-" + marker, "/" + marker, " " + marker, " " + marker + "=x", ":=" + marker} {
				if isSecret := row.Key == "iscsi_w" || row.Key == "iscsi_W"; isSecret || strings.ContainsAny(text, ":@") {
					checkNoSecret(t, name+text)
				}
			}
			if len(name) >= 6 {
				checkNoSecret(t, name[:2]+name[1:]+"=user:"+marker+"@storage")
				checkNoSecret(t, name[:2]+name[1:]+":"+marker)
			}
		}
	}
	if lines < 1000 {
		t.Errorf("%d values", lines)
	}
}

// checkNoSecret checks that no message about a line contains the marker.
func checkNoSecret(t *testing.T, text string) {
	t.Helper()
	plan, err := parse(text)
	_, odd, more := plan.Preview(plan.Net.Facts())
	messages := strings.Join(append(append(plan.Warnings, plan.Explain()...), odd...), "\n")
	for _, e := range []error{err, more} {
		if e != nil {
			messages += "\n" + e.Error()
		}
	}
	if strings.Contains(messages, marker) {
		t.Errorf("%s: %s", text, messages)
	}
}

// The same for DHCP's root path.
func TestMisplacedSecretsOfDHCP(t *testing.T) {
	for _, good := range []string{"iscsi:10.1.1.1:6:3260:1:iqn.x:t", "iscsi:[2001:db8::1]::::iqn.x:t", "nbd:10.1.1.1:x"} {
		for _, path := range misplaced(good) {
			for _, line := range []string{"", "iscsi_t=iqn.x:t"} {
				plan, err := parse("iscsi_i=iqn.x:m ip=dhcp " + line)
				p, odd, more := plan.Preview(bootspec.NetFacts{RootPath: path})
				messages := strings.Join(append(p.Explain(), odd...), "\n")
				if more != nil {
					messages += more.Error()
				}
				if err != nil || strings.Contains(messages, marker) {
					t.Errorf("%s, %v: %s", path, err, messages)
				}
			}
		}
	}
}

// The text in place of a secret names the parameter, and the nearest one.
func TestMisplacedSecretsText(t *testing.T) {
	for text, want := range map[string]string{
		"iscsi_a=user:sesame@10.1.1.1":                          "parameter iscsi_a=[redacted]@10.1.1.1 (byte 0 of the command line): this is not the address of a portal",
		"iscsi_t=user:sesame@name":                              "parameter iscsi_t=[redacted]@name (byte 0 of the command line): an iSCSI name cannot contain a user and a secret",
		"iscsi_w:sesame":                                        "parameter iscsi_w:[redacted] is not understood and is ignored: did you mean iscsi_w=?",
		"rd.iscsi.password:sesame":                              "parameter rd.iscsi.password:[redacted] is not understood and is ignored: did you mean rd.iscsi.password=?",
		"rd.iscsi.passwordsesame":                               "parameter rd.iscsi.password[redacted] is not understood and is ignored",
		"iscsi_password-sesame":                                 "parameter iscsi_password[redacted] is not understood and is ignored",
		"rd.iscsi.password sesame":                              "parameter rd.iscsi.password (byte 0 of the command line): it has no value",
		"iscsi_passwort=sesame":                                 "parameter iscsi_passwort is not understood and is ignored: did you mean iscsi_password?",
		"root:UUID=sesame":                                      "parameter root:[redacted] is not understood and is ignored: did you mean root=?",
		"netroot=iscsi:user:sesame@10.1.1.1:iqn.x:t":            "parameter netroot=iscsi:[redacted]@10.1.1.1:iqn.x:t (byte 0",
		"netroot=iscsi:user:sesame-open-12:10.1.1.1::::iqn.x:t": "parameter netroot=iscsi:user:[redacted]:10.1.1.1::::iqn.x:t (byte 0",
		"iscsiroot=user:sesame-open-12:10.1.1.1::::iqn.x:t":     "parameter iscsiroot=user:[redacted]:10.1.1.1::::iqn.x:t (byte 0",
		"netroot=iscsi:10.1.1.1::::user:sesame@disk":            "parameter netroot=iscsi:[redacted]@disk (byte 0 of the command line): a user and a secret have no place in the target's name",
		"rd.iscsi.param=node.session.auth.pasword:sesame":       "parameter rd.iscsi.param=node.session.auth.pasword[redacted] (byte 0",
		"rd.iscsi.param=node.session.auth.passwordsesame=x":     "parameter rd.iscsi.param=node.session.auth.password=[redacted] (byte 0",
		"iscsi_u=user:sesame":                                   "user user:[redacted] (iscsi_u=)",
		"iscsi_u=iqn.2007-01.com.example:m":                     "user iqn.2007-01.com.example:m (iscsi_u=)",
		"rootflags=user:sesame@x":                               "root mount options [redacted]@x (rootflags=)",
		"real_root=cifs://10.1.1.1/share,username=u,p=sesame":   "parameter real_root=cifs:[redacted] (byte 0",
	} {
		plan, err := parse(text)
		messages := strings.Join(append(plan.Warnings, plan.Explain()...), "\n")
		if err != nil {
			messages += "\n" + err.Error()
		}
		if !strings.Contains("\n"+messages, "\n"+want) || strings.Contains(messages, marker) {
			t.Errorf("%s: %q is not in %s", text, want, messages)
		}
	}
}

// A user and a secret are found at every place, and an @ in a target's name, or after an empty
// user, begins none.
func TestSecretsOfNetRoot(t *testing.T) {
	for text, want := range map[string]bool{
		"netroot=iscsi:10.0.0.1::::iqn.x:t":                            false,
		"netroot=iscsi:@10.0.0.1::::iqn.x:t":                           false,
		"netroot=iscsi:@10.0.0.1::::iqn.x:di@sk":                       false,
		"netroot=iscsi:10.0.0.1::::iqn.x:@t":                           false,
		"iscsiroot=@10.0.0.1::::iqn.x:t":                               false,
		"root=iscsi:@10.0.0.1::::iqn.x:t":                              false,
		"netroot=iscsi:user:" + marker + "@10.0.0.1::::iqn.x:t":        true,
		"netroot=iscsi:user:" + marker + "@10.0.0.1::::iqn.x:@t":       true,
		"netroot=iscsi:user:" + marker + ":tuser:@10.0.0.1::::iqn.x:t": true,
		"netroot=iscsi:user:" + marker + ":@10.0.0.1::::iqn.x:t":       true,
		"netroot=iscsi:@user:" + marker + "@10.0.0.1::::iqn.x:t":       true,
		"netroot=iscsi:@10.0.0.1:user:" + marker + "@x:::iqn.x:t":      true,
		"netroot=iscsi::@user:" + marker + ":@10.0.0.1::::iqn.x:t":     true,
		"netroot=nfs:user:" + marker + ":@10.0.0.1:/root":              true,
		"root=iscsi:user:" + marker + "@10.0.0.1::::iqn.x:@t":          true,
		"iscsiroot=user:" + marker + "@10.0.0.1::::iqn.x:@t":           true,
		"iscsi_a=user:" + marker + ":@10.0.0.1":                        true,
		"iscsi_a=10.0.0.1::::user:" + marker + "@iqn.x:t":              true,
	} {
		key, value, _ := strings.Cut(text, "=")
		if got := bootspec.Secret(cmdline.Param{Key: key, Value: value, HasValue: true}); got != want {
			t.Errorf("%s: a secret: %v, want %v", text, got, want)
		}
	}
}
