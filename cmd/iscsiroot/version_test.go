package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersion(t *testing.T) {
	s := newStage(t)
	if status, out, errs := s.run("version"); status != 0 || out != "iscsiroot unknown\n" || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	status, out, errs := s.run("version", "--sbom")
	if status != 0 || errs != "" || !strings.Contains(out, `"pkg:golang/github.com/spf13/cobra@v`) {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	_, again, _ := s.run("version", "--sbom")
	if diff := cmp.Diff(out, again); diff != "" {
		t.Errorf("two bills of the same program differ: %s", diff)
	}
}

func TestBillOfMaterials(t *testing.T) {
	host := &debug.BuildInfo{GoVersion: "go1.26.1", Path: "example.com/x/cmd/host", Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
		{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0"}},
	}}
	init := &debug.BuildInfo{GoVersion: "go1.26.1", Path: "example.com/x/cmd/init", Deps: host.Deps[:1]}
	text, err := sbom("1.2", []*debug.BuildInfo{host, init})
	if err != nil {
		t.Fatal(err)
	}
	var got bill
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	a, std, replaced := "pkg:golang/example.com/a@v1.0.0", "pkg:golang/std@1.26.1", "pkg:golang/example.com/new@v2.0.0"
	want := bill{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata: metadata{component{Type: "application", Ref: "host", Name: "host", Version: "1.2"}},
		Components: []component{
			{Type: "library", Ref: std, Name: "std", Version: "1.26.1", PURL: std},
			{Type: "library", Ref: a, Name: "example.com/a", Version: "v1.0.0", PURL: a, Hashes: []sum{{"SHA-256", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}}},
			{Type: "library", Ref: replaced, Name: "example.com/new", Version: "v2.0.0", PURL: replaced},
			{Type: "application", Ref: "init", Name: "init", Version: "1.2"},
		},
		Dependencies: []dependency{{"host", []string{std, a, replaced, "init"}}, {"init", []string{std, a}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Every command that --help shows has a page with all its options, and so has every word of the command line.
func TestManualPages(t *testing.T) {
	s := newStage(t)
	if status, _, errs := s.run("man", "~/man"); status != 0 {
		t.Fatal(errs)
	}
	_, help, _ := s.run("--help")
	for _, name := range []string{"build", "ls", "cat", "unpack", "check", "explain", "pxe", "version"} {
		text, err := os.ReadFile(s.path("man/man1/iscsiroot-" + name + ".1"))
		if err != nil || !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("%s: %v, in the help:\n%s", name, err, help)
			continue
		}
		_, usage, _ := s.run(name, "--help")
		for line := range strings.Lines(usage) {
			_, option, ok := strings.Cut(line, " --")
			if option, _, _ = strings.Cut(option, " "); !ok || !strings.HasPrefix(strings.TrimSpace(line), "-") {
				continue
			}
			option, _, _ = strings.Cut(option, "[")
			if !strings.Contains(string(text), `\-\-`+roff(option)) {
				t.Errorf("the page of %s says nothing of --%s:\n%s", name, option, text)
			}
		}
	}
	text, err := os.ReadFile(s.path("man/man7/iscsiroot.7"))
	if err != nil || !strings.Contains(string(text), "\n.B iscsi_i_ip=ADDRESS/MASK\n") || !strings.Contains(string(text), `\-\- ends`) {
		t.Errorf("%v\n%s", err, text)
	}
	if status, _, errs := s.run("man", "/proc/none"); status != 1 || errs != "iscsiroot: mkdir /proc/none: no such file or directory\n" {
		t.Errorf("nowhere to write: status %d, %s", status, errs)
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"a-b\\c":                  "a\\-b\\ec\n",
		".x\n'y":                  "\\&.x\n\\&'y\n",
		"one\ntwo\n\nthree":       "one\ntwo\n.PP\nthree\n",
		"list:\n\n  a  b\n  .c d": "list:\n.PP\n.nf\n  a  b\n.fi\n.nf\n  .c d\n.fi\n",
	} {
		if got := roffText(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
