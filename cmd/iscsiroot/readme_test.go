package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// readme returns the lines of the README that are typed or shown as they are.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			b.WriteString(code)
		}
	}
	return b.String()
}

// The hosts file of the first boot gives the file that the README shows.
func TestREADMEHosts(t *testing.T) {
	s := newStage(t)
	_, rest, ok := strings.Cut(readme(t), "cat >/srv/netboot/hosts.yaml <<END\n")
	hosts, rest, ok2 := strings.Cut(rest, "END\n")
	_, shown, ok3 := strings.Cut(rest, "LABEL ")
	shown, _, ok4 := strings.Cut(shown, "\ncp ") // of step 5
	if !ok || !ok2 || !ok3 || !ok4 {
		t.Fatal("the README shows no hosts file, or not what is made of it")
	}
	if err := os.WriteFile(s.path("hosts.yaml"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := s.run("pxe", "~/hosts.yaml", "~/netboot"); status != 0 {
		t.Fatal(errs)
	}
	made, err := os.ReadFile(s.path("netboot/tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-ff"))
	want := "LABEL " + strings.Join(strings.Fields(shown), " ")
	if got := strings.Join(strings.Fields(string(made)), " "); err != nil || !strings.Contains(got, want) {
		t.Errorf("%v: the README shows\n%s\nand pxe makes\n%s", err, want, got)
	}
	for _, name := range []string{"tgt.conf", "dnsmasq.conf"} {
		if _, err := os.Stat(s.path("netboot/" + name)); err != nil || !strings.Contains(rest, "/srv/netboot/"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The commands in the README have the options that it gives them.
func TestREADMECommands(t *testing.T) {
	s := newStage(t)
	option := regexp.MustCompile(`--[a-z-]+`)
	seen := 0
	for line := range strings.Lines(readme(t)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "iscsiroot" {
			continue
		}
		seen++
		status, help, errs := s.run(words[1], "--help")
		if status != 0 {
			t.Errorf("%s: %s", words[1], errs)
		}
		for _, o := range option.FindAllString(line, -1) {
			if !strings.Contains(help, o+" ") {
				t.Errorf("iscsiroot %s has no %s", words[1], o)
			}
		}
	}
	if seen < 3 {
		t.Errorf("the README has %d commands of iscsiroot: this test looks at nothing", seen)
	}
}
