package bootspec_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func readCredentials(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/credentials")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hidden(s string) iscsi.Secret { return iscsi.NewSecret([]byte(s)) }

// A file as written by hand; the result shares no memory with it.
func TestCredentials(t *testing.T) {
	text := readCredentials(t)
	got, err := bootspec.ParseCredentials(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	want := []bootspec.Credential{
		{Line: 2, Target: "iqn.2007-01.com.example:storage.remote1", User: "machine1", Secret: hidden("correct-horse-battery")},
		{
			Line: 4, Target: "iqn.2007-01.com.example:storage.remote2", User: "machine 2", Secret: hidden(`with "quotes" and \`),
			TargetSecret: hidden("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb"),
		},
		{
			Line: 5, Target: "eui.02004567A425678D", User: "m", Secret: hidden("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4"),
			TargetUser: "storage", TargetSecret: hidden("another secret"),
		},
	}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const goodLine = "iqn.2007-01.com.example:a user correct-horse-battery"

// Each error names the line and what to write, and does not contain the line.
func TestCredentialsBad(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, tt := range []struct{ line, cause, write string }{
		{"iqn.2007-01.com.example:b", "1 fields", "TARGET-NAME USER SECRET"},
		{"iqn.2007-01.com.example:b u", "2 fields", "TARGET-NAME USER SECRET"},
		{"iqn.2007-01.com.example:b u s t", "4 fields", "TARGET-NAME USER SECRET"},
		{"iqn.2007-01.com.example:b u s t u v", "6 fields", "TARGET-NAME USER SECRET"},
		{"* u s", "not a target name", "iqn."},
		{"user iqn.2007-01.com.example:b s", "not a target name", "iqn."},
		{`"iqn.2007-01.com.example:b c" u s`, "not a target name", "iqn."},
		{"iqn." + long + " u s", "not a target name", "iqn."},
		{"iqn.\xff u s", "not a target name", "iqn."},
		{`iqn.2007-01.com.example:b "" s`, "not a user", "255 bytes"},
		{"iqn.2007-01.com.example:b " + long + " s", "not a user", "255 bytes"},
		{`iqn.2007-01.com.example:b u ""`, "third field is not a secret", "0x and hex"},
		{"iqn.2007-01.com.example:b u " + long, "third field is not a secret", "0x and hex"},
		{"iqn.2007-01.com.example:b u 0xg0", "third field is not a secret", "0x and hex"},
		{"iqn.2007-01.com.example:b u s " + long + " v", "fourth field is not a user", "255 bytes"},
		{"iqn.2007-01.com.example:b u s t 0b!", "fifth field is not a secret", "0x and hex"},
		{`iqn.2007-01.com.example:b u "s`, "quote", "TARGET-NAME"},
		{`iqn.2007-01.com.example:b u "s"t`, "quote", "TARGET-NAME"},
		{`iqn.2007-01.com.example:b u s"t`, "quote", "TARGET-NAME"},
		{`iqn.2007-01.com.example:b u s\"t`, "quote", "TARGET-NAME"},
		{"iqn.2007-01.com.example:b u s\x00t", "control character", "TARGET-NAME"},
		{"IQN.2007-01.com.example:A u s", "not a target name", "iqn."},
		{"iqn.2007-01.com.EXAMPLE:A u s", "that of line 1", "one line for each target"},
	} {
		got, err := bootspec.ParseCredentials([]byte(goodLine + "\n" + tt.line + "\n" + goodLine))
		var bad *bootspec.CredentialsError
		if !errors.As(err, &bad) || got != nil || bad.Line != 2 {
			t.Errorf("%s: got %v, %v", tt.line, got, err)
			continue
		}
		for _, want := range []string{bootspec.CredentialsPath + " line 2: ", tt.cause, ": write ", tt.write} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", tt.line, err, want)
			}
		}
	}
	if _, err := bootspec.ParseCredentials(make([]byte, bootspec.MaxCredentials+1)); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("long file: %v", err)
	}
}

// A secret goes to the target that its line names, and to no other.
func TestResolveCredentials(t *testing.T) {
	creds, err := bootspec.ParseCredentials(readCredentials(t))
	if err != nil {
		t.Fatal(err)
	}
	const net = "iscsi_i=iqn.2007-01.com.example:i iscsi_i_ip=10.1.1.165/24 iscsi_a=10.1.1.180 "
	for _, tt := range []struct{ text, user, targetUser, targetSecret, warning string }{
		{"iscsi_t=eui.02004567A425678D", "m", "storage", "another secret", ""},
		{"iscsi_t=iqn.2007-01.com.example:storage.remote2", "machine 2", "", "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb", ""},
		{"iscsi_t=iqn.2007-01.com.example:Storage.Remote1", "machine1", "", "", ""},
		{"iscsi_t=iqn.2007-01.com.example:storage.remote", "", "", "", ""},
		{"iscsi_t=iqn.2007-01.com.example:storage.remote11", "", "", "", ""},
		{
			"iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_u=me iscsi_w=another-secret", "me", "", "",
			"target iqn.2007-01.com.example:storage.remote1 has CHAP in /etc/iscsiroot/credentials and in iscsi_u=: the command line is used",
		},
	} {
		plan, err := parse(net + tt.text)
		if err != nil {
			t.Fatal(err)
		}
		plan.Credentials = creds
		spec, warnings, err := plan.Resolve(bootspec.NetFacts{})
		if err != nil {
			t.Fatal(err)
		}
		got := spec.Targets[0].CHAP
		if got.User.V != tt.user || got.TargetUser.V != tt.targetUser || string(got.TargetSecret.V.Bytes()) != tt.targetSecret || got.Given() != (tt.user != "") ||
			strings.Join(warnings, "\n") != tt.warning {
			t.Errorf("%s: %+v, warnings %q", tt.text, got, warnings)
		}
		if plan.Targets[0].CHAP.Given() != strings.Contains(tt.text, "iscsi_u") {
			t.Error("the plan was changed")
		}
	}
	same, _ := parse(net + "iscsi_t=iqn.2007-01.com.example:a")
	same.Credentials, err = bootspec.ParseCredentials([]byte(goodLine + " target correct-horse-battery"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := same.Resolve(bootspec.NetFacts{}); err == nil || !strings.Contains(err.Error(), "target iqn.2007-01.com.example:a: CHAP: the same secret") {
		t.Errorf("the same secret both ways: %v", err)
	}
}

// After Forget no secret is left in any copy.
func TestForget(t *testing.T) {
	plan, err := parse(base + "iscsi_i_ip=10.1.1.165/24 iscsi_a=a iscsi_u=u iscsi_w=correct-horse-battery iscsi_U=t iscsi_W=another-secret iscsi_t.2=iqn.2007-01.com.example:a")
	if err != nil {
		t.Fatal(err)
	}
	if plan.Credentials, err = bootspec.ParseCredentials([]byte(goodLine)); err != nil {
		t.Fatal(err)
	}
	spec, _, err := plan.Resolve(bootspec.NetFacts{})
	if err != nil || spec.Targets[1].CHAP.Secret.V.Empty() {
		t.Fatal(spec, err)
	}
	plan.Forget()
	for _, target := range spec.Targets {
		if !target.CHAP.Secret.V.Empty() || !target.CHAP.TargetSecret.V.Empty() {
			t.Errorf("%s is not forgotten", target.Name.V)
		}
	}
}

// quoteField writes a field in the file's grammar.
func quoteField(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func secretField(s iscsi.Secret) string { return fmt.Sprintf("0x%x", s.Bytes()) }

// FuzzCredentials reads files: what is taken can be written and reads back the same, and no message
// holds a part of a line.
func FuzzCredentials(f *testing.F) {
	f.Add(readCredentials(f))
	f.Add([]byte(goodLine + "\r\n#\n \t\n" + `iqn.x "" ""`))
	f.Add([]byte(`iqn.a u "\\\"\x" "" ""` + "\n* a b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := bootspec.ParseCredentials(text)
		if err != nil {
			if len(err.Error()) > 250 || list != nil {
				t.Errorf("%d lines and error %q", len(list), err)
			}
			return
		}
		var b strings.Builder
		for _, c := range list {
			fmt.Fprintln(&b, quoteField(c.Target), quoteField(c.User), secretField(c.Secret))
			if !c.TargetSecret.Empty() {
				text := strings.TrimSuffix(b.String(), "\n")
				b.Reset()
				fmt.Fprintln(&b, text, quoteField(c.TargetUser), secretField(c.TargetSecret))
			}
		}
		again, err := bootspec.ParseCredentials([]byte(b.String()))
		if err != nil && b.Len() <= bootspec.MaxCredentials {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		for i := range again {
			again[i].Line = list[i].Line
		}
		if diff := cmp.Diff(list, again, equal); err == nil && diff != "" {
			t.Error(diff)
		}
	})
}
