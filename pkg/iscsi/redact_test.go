package iscsi_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// The text before an @ and after the name of a password is removed, and the rest is kept.
func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"10.1.1.1":                          "10.1.1.1",
		"user:sesame@10.1.1.1":              "[redacted]@10.1.1.1",
		"sesame@10.1.1.1":                   "[redacted]@10.1.1.1",
		"u:ses@me@h":                        "[redacted]@h",
		"iscsi:u:sesame@10.1.1.1::::iqn.x":  "iscsi:[redacted]@10.1.1.1::::iqn.x",
		"ISCSI://u:sesame@h/":               "ISCSI:[redacted]@h/",
		"http://u:sesame@h/x":               "http:[redacted]@h/x",
		"rw,password=sesame,x":              "rw,password=[redacted]",
		"rw,PASSWD=sesame":                  "rw,PASSWD=[redacted]",
		"a.auth.password_in=sesame":         "a.auth.password_in=[redacted]",
		"secret=sesame,pass=sesame":         "secret=[redacted]",
		"credentials=u:sesame@h,pass=sesam": "[redacted]@h,pass=[redacted]",
		"iqn.x:secret:a=b":                  "iqn.x:secret:a=b",
		"passthrough,x=\xff,passwd=sesame":  "passthrough,x=\xff,passwd=[redacted]",
		"passthrough":                       "passthrough",
	} {
		got := iscsi.Redact(text)
		if got != want || strings.Contains(got, "sesam") || iscsi.Redact(got) != got {
			t.Errorf("%s is shown as %s, and that as %s, want %s", text, got, iscsi.Redact(got), want)
		}
	}
}
