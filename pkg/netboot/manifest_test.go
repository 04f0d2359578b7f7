package netboot

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeFile(name, text string) error { return os.WriteFile(name, []byte(text), 0o644) }

// FuzzManifest: what is written is read back, whatever stands in it names files below the directory
// alone, and reading ends.
func FuzzManifest(f *testing.F) {
	f.Add("tftp/grub/grub.cfg", "x", written+"tftp/old\n../out\n/abs\n\n.\n")
	f.Add("a  b", "", strings.Repeat("0", 64)+"  a\n"+strings.Repeat("g", 64)+"  b\n0  c")
	f.Fuzz(func(t *testing.T, name, data, text string) {
		got, err := parseManifest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for name := range got {
			if !filepath.IsLocal(name) || strings.Contains(name, "\n") {
				t.Errorf("%q of %q", name, text)
			}
		}
		list := []File{{Path: "tftp/" + hash([]byte(name)), Data: []byte(data)}, {Path: "b", Data: []byte(name)}}
		m, err := manifestOf(list)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = parseManifest(m.Data); err != nil || len(got) != 2 || !m.Secret {
			t.Fatalf("%q, %v", got, err)
		}
		for _, f := range list {
			if !got.isOurs(f.Path, f.Data) || got.isOurs(f.Path, append([]byte("x"), f.Data...)) || got.isOurs(f.Path+"x", f.Data) {
				t.Errorf("%q of %s", got, f.Path)
			}
		}
	})
}

// The manifest is bounded, where it is read and where it is written; the largest room is below.
func TestManifestBound(t *testing.T) {
	if _, err := parseManifest(make([]byte, maxManifest+1)); err == nil {
		t.Error("a large one was read")
	}
	if _, err := manifestOf([]File{{Path: strings.Repeat("a", maxManifest)}}); err == nil {
		t.Error("a large one was written")
	}
	h := room(t, seed).Hosts[1]
	h.Name = strings.Repeat("a", 63)
	r := &Room{Loader: "pxelinux", Hosts: []Host{h}}
	files, err := r.Files("/srv")
	if err != nil || len(files) != 5+6 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		if len(f.Path) >= 128 {
			t.Errorf("%s has %d bytes", f.Path, len(f.Path))
		}
	}
	dir := t.TempDir()
	if err := os.Truncate(touch(t, filepath.Join(dir, manifest)), maxManifest+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(dir, nil); err == nil || !strings.Contains(err.Error(), manifest) {
		t.Errorf("a large file: %v", err)
	}
}

func touch(t *testing.T, name string) string {
	t.Helper()
	if err := writeFile(name, ""); err != nil {
		t.Fatal(err)
	}
	return name
}

// Files that were changed by hand, and those that no run has written, are neither changed nor
// removed unless they may be overwritten; a file that is as it was, or as it is to be, is no
// matter.
func TestChangedByHand(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, seed)
	hand := []string{"dnsmasq.conf", "tftp/secrets/remote2.img"}
	for _, name := range hand {
		if err := writeFile(filepath.Join(dir, name), "by hand\n"); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, dir)
	other := seed[:strings.Index(seed, "  - name: remote2")]
	for text, want := range map[string][]string{seed: hand, other: hand} {
		list, err := room(t, text).Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Update(t.Context(), dir, list, Options{Waiting: func() {}})
		var foreign *ForeignError
		if !errors.As(err, &foreign) || !slices.Equal(foreign.Paths, want) {
			t.Errorf("%v, want %q", err, want)
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
		changes, err := Compare(dir, list)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if c.Foreign != slices.Contains(want, c.File.Path) || c.Foreign != strings.Contains(c.Diff(), " (changed by hand, or not written by pxe)") {
				t.Errorf("%s: foreign %v: %s", c.File.Path, c.Foreign, c.Diff())
			}
		}
	}
	list, err := room(t, seed).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Update(t.Context(), dir, list, Options{Overwrite: true, Waiting: func() {}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "dnsmasq.conf")); err != nil || !strings.HasPrefix(string(text), written) {
		t.Errorf("%q, %v", text, err)
	}
	if got := run(t, dir, other); len(got) == 0 {
		t.Error("nothing changes afterwards")
	}
}

// A file that was there before the first run stays. A manifest without hashes, of an earlier
// version, makes no file foreign.
func TestManifestsOfBefore(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "tgt.conf")
	if err := writeFile(own, "<target x>\n"); err != nil {
		t.Fatal(err)
	}
	list, err := room(t, seed).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignError
	if _, err := Update(t.Context(), dir, list, Options{Waiting: func() {}}); !errors.As(err, &foreign) || !slices.Equal(foreign.Paths, []string{"tgt.conf"}) {
		t.Errorf("%v", err)
	}
	if err := writeFile(filepath.Join(dir, manifest), written+"tgt.conf\n"); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, seed); len(got) != 15 {
		t.Errorf("%q", got)
	}
	if st, err := os.Stat(filepath.Join(dir, manifest)); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v: it has hashes of secrets", st, err)
	}
}
