package main

import (
	"encoding/json"
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
