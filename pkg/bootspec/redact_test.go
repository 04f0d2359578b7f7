package bootspec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// What is hidden, and what is not: a text that is redacted stays as it is.
func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"/dev/sda2":                              "/dev/sda2",
		"iscsi_w=" + marker:                      "iscsi_w=[redacted]",
		"a iscsi_W:" + marker:                    "a iscsi_W:[redacted]",
		"RD.ISCSI.PASSWORD=" + marker:            "RD.ISCSI.PASSWORD=[redacted]",
		"iscsi_w.2=" + marker:                    "iscsi_w.2=[redacted]",
		`"iscsi_w" ` + marker:                    `"iscsi_w[redacted]`,
		"iscsi_w=":                               "iscsi_w=",
		"iscsi_wait=5":                           "iscsi_wait=5",
		"xiscsi_w=5":                             "xiscsi_w=5",
		"iscsi:u:" + marker + "@h:x":             "iscsi:[redacted]@h:[redacted]",
		"netroot=iscsi:u:" + marker:              "netroot=iscsi:u:[redacted]",
		"LABEL=iscsi:u:" + marker + ":10.1.1.1:": "LABEL=iscsi:u:[redacted]:10.1.1.1:",
		"iscsi:10.1.1.1:6:3260:1:iqn.x:t":        "iscsi:10.1.1.1:6:3260:1:iqn.x:t",
		"iscsi:10.1.1.1::99999::iqn.x:t":         "iscsi:10.1.1.1::99999::iqn.x:t",
		"iscsi:[2001:db8::1]:6:x:1:iqn.x:t":      "iscsi:[2001:db8::1]:6:[redacted]:[redacted]:iqn.x:t",
		"iqn.x.iscsi:disk":                       "iqn.x.iscsi:disk",
		"rw,password=" + marker:                  "rw,password=[redacted]",
	} {
		if got := bootspec.Redact(text); got != want || bootspec.Redact(got) != got {
			t.Errorf("%s is shown as %s, and that as %s, want %s", text, got, bootspec.Redact(got), want)
		}
	}
}

// A secret's parameter inside of another value is an error, and so never part of a name that a
// later message shows.
func TestSecretInValue(t *testing.T) {
	for _, key := range []string{"iscsi_t", "iscsi_i", "root", "rootfallback", "init", "rd.shell", "hostname", "iscsi_if", "rootflags", "iscsi_u", "iscsi_a", "rd.break"} {
		for _, value := range []string{"iscsi_w=", "/iscsi_w:", "LABEL=iscsi_password=", "iqn.x:ISCSI_W="} {
			plan, err := parse(key + "=" + value + marker)
			if err == nil || !strings.Contains(err.Error(), "the value contains a secret") || strings.Contains(err.Error(), marker) {
				t.Errorf("%s=%s: %v, %v", key, value, plan.Explain(), err)
			}
		}
	}
}

// Words that contain a secret, with any misspelling around it.
func TestSecretWords(t *testing.T) {
	for text, want := range map[string]bool{
		"ISCSI_W=" + marker:                           true,
		"iscsi_w." + marker + "=":                     true,
		"iscsi_w" + marker:                            true,
		"RD.ISCSI.PASSWORD" + marker:                  true,
		"rd.iscsi.pasword." + marker:                  true,
		"root=netroot=iscsi:U:" + marker:              true,
		"netroot=iscsi:U:" + marker:                   true,
		"iscsiroot=U:" + marker:                       true,
		"rootfallback=iscsi:U:" + marker + "@h::::x":  true,
		"other=iscsi_w=" + marker:                     true,
		"iscsi_t=iqn.x:iscsi_w=" + marker:             true,
		"iscsi_t=iqn.x:a@b":                           false,
		"root=iscsi:10.1.1.1::::iqn.x:a@b":            false,
		"netroot=iscsi:10.1.1.1:6:3260:1:iqn.x:disk1": false,
		"netroot=dhcp":                                false,
		"iscsi_u=user":                                false,
		"other=user@host":                             false,
	} {
		if got := bootspec.Secret(cmdline.Parse(text).Params[0]); got != want {
			t.Errorf("%s: a secret: %v, want %v", text, got, want)
		}
	}
}

// The names in Redact are those of the table's rows for secrets.
func TestSecretNames(t *testing.T) {
	known := map[string]bool{}
	for _, row := range bootspec.Table() {
		if row.Key == "iscsi_w" || row.Key == "iscsi_W" {
			for _, name := range row.Names() {
				known[strings.ToLower(name)] = true
			}
		}
	}
	if got := bootspec.SecretNames(); len(got) != len(known) || slices.ContainsFunc(got, func(name string) bool { return !known[name] }) {
		t.Errorf("%q, the table has %v", got, known)
	}
}
