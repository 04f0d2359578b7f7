package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// marker is part of every secret here, and of nothing else.
const marker = "xyzzy"

// spellings returns the ways to write a secret on a command line, right and wrong, with S in its
// place.
func spellings() (out []string) {
	for _, row := range bootspec.Table() {
		if row.Key != "iscsi_w" && row.Key != "iscsi_W" {
			continue
		}
		for _, name := range row.Names() {
			for _, n := range []string{name, strings.ToUpper(name), strings.ToLower(name), name + ".2"} {
				for _, form := range []string{"=S", ":S", "=:S", ":=S", "==S", " S", " =S", " = S", "= S", ": S", ".S", ".S=", "-S", "/S", "+S", "@S", "'S'", "='S'", `="S"`, `="S`, `"=S"`} {
					out = append(out, n+form)
				}
				out = append(out, `"`+n+"=S", "'"+n+"=S'", "hostname="+n+"=S", "root=LABEL="+n+"=S", "iscsi_t=iqn.x:"+n+":S", "init=/"+n+"=S", `root="LABEL=a `+n+` S"`, `root=LABEL=a\x20`+n+`=S`, `root=UUID="a `+n+`S=1"`, "rd.shell=/"+n+"=S", "iscsi_if="+n+"=S")
			}
			out = append(out, name+"S", strings.ToUpper(name)+"S", name+"S=1")
		}
	}
	for _, name := range []string{"netroot=iscsi:", "NETROOT=iscsi:", "netroot:iscsi:", "netrot=iscsi:", "iscsiroot=", "iscsiroot=iscsi:", "root=iscsi:", "rootfallback=iscsi:", "root=netroot=iscsi:", "root=ISCSI:", "init=iscsi:", "hostname=iscsi:", "rd.break=iscsi:", "root=LABEL=iscsi:"} {
		for _, form := range []string{"U:S@10.1.1.1::::iqn.x:t", "U:S@h", "U:S", "U:S:10.1.1.1::::iqn.x:t", "U:S:V:S@10.1.1.1::::iqn.x:t", "U:S:V:S", "U:S@", "S@10.1.1.1::::iqn.x:t", "U:S@[2001:db8::1]::::iqn.x:t", "//U:S@10.1.1.1/iqn.x:t"} {
			out = append(out, name+form)
		}
	}
	return append(out, "iscsi_a=U:S@10.1.1.1", "iscsi_t=U:S@name", "iscsi_u=U:S", "rootflags=password=S", "rootflags=U:S@h", "nfsroot=U:S@h:/", "root=cifs://h/s,username=U,p=S",
		"rd.iscsi.param=node.session.auth.password=S", "rd.iscsi.param=node.session.auth.passwordS", "rd.iscsi.param=node.session.auth.pasword:S", "rd.shell.password=S", "rd.shell.pasword=S", "ip=U:S@h:dhcp")
}

// spell writes a secret in one of the ways, at one place between other words.
func spell(form string, at int, secret, others string) string {
	if strings.Contains(form, "U:S") || strings.Contains(form, "S@") { // RFC 3986 and dracut: not in a user or a secret
		secret = strings.NewReplacer(":", "", "@", "", "/", "", "iqn.", "", "eui.", "", "naa.", "").Replace(secret)
	}
	words := strings.Fields(others)
	at %= len(words) + 1
	word := strings.NewReplacer("S:V:S", secret+":V:"+secret, "U:S", "U:"+secret, "S@", secret+"@")
	text := word.Replace(form)
	if text == form {
		i := strings.LastIndexByte(form, 'S')
		text = form[:i] + secret + form[i+1:]
	}
	return strings.Join(append(append(words[:at:at], text), words[at:]...), " ")
}

// explained returns all that explain prints of a command line.
func explained(t *testing.T, line string) string {
	t.Helper()
	var out bytes.Buffer
	in := explainInput{cmdline: line, rootPath: "iscsi:10.1.1.1::::iqn.x:t"}
	e, err := in.explain(strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		if err := e.print(&out, asJSON); err != nil {
			fmt.Fprintln(&out, err)
		}
	}
	return out.String()
}

// other words of a line: one that boots, one that does not.
const (
	booting = "iscsi_i=iqn.x:m iscsi_i_ip=10.1.1.165/26 iscsi_t=iqn.x:t iscsi_a=10.1.1.180 root=UUID=9e7bc4b8-8d1e-4e1b-b1b5-3b1f9bb5a3a1"
	odd     = "ip=dhcp overlayroot=tmpfs rd.break=nowhere iscsi_waitnet=1 netrot=x"
)

// Each spelling, in front, between and behind other words: the secret is in nothing that is
// printed.
func TestExplainSecrets(t *testing.T) {
	for i, form := range spellings() {
		for at, others := range []string{odd, booting} {
			line := spell(form, at*(1+i%5), "Open-"+marker+"-12", others)
			if !strings.Contains(line, marker) {
				t.Fatalf("%s: no secret in %s", form, line)
			}
			if out := explained(t, line); strings.Contains(out, marker) {
				t.Errorf("%s: explain prints a secret of %s:\n%s", form, line, out)
			}
		}
	}
}

// FuzzExplainSecrets spells a secret of any bytes between any other words.
func FuzzExplainSecrets(f *testing.F) {
	forms := spellings()
	for i := 0; i < len(forms); i += 37 { // the test has all of them
		f.Add(uint16(i), uint8(i), "Open="+marker[:i%3], booting)
	}
	f.Add(uint16(7), uint8(1), "a@b:c=d,e", `root="LABEL=a b`)
	f.Fuzz(func(t *testing.T, which uint16, at uint8, secret, others string) {
		plain := func(c rune) rune { // what ends a word, or is not printed as it is
			if c <= ' ' || c >= 0x7f || c == '"' {
				return -1
			}
			return c
		}
		secret = strings.Map(plain, secret)
		secret = secret[:int(at)%(len(secret)+1)] + marker + secret[int(at)%(len(secret)+1):]
		if strings.Contains(strings.ToLower(others), marker) || len(others) > 4096 {
			return
		}
		line := spell(forms[int(which)%len(forms)], int(at), secret, others)
		if out := explained(t, line); strings.Contains(out, marker) {
			t.Errorf("explain prints a secret of %q:\n%s", line, out)
		}
	})
}

// A word outside of the quotes is an argument, and not shown either.
func TestExplainWithoutQuotes(t *testing.T) {
	for _, command := range []string{"explain --cmdline", "build -o x --default"} {
		var out bytes.Buffer
		args := append(strings.Fields(command), "iscsi_u=a", "iscsi_w="+marker)
		if status := run(t.Context(), args, &out, &out); status == 0 || strings.Contains(out.String(), marker) || !strings.Contains(out.String(), "in quotes") {
			t.Errorf("%s: status %d: %s", command, status, out.String())
		}
	}
}
