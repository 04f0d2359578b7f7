package netboot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run makes a description's files in a directory and returns what was changed.
func run(t *testing.T, dir, text string) []string {
	t.Helper()
	list, err := room(t, text).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(dir, list)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(dir, changes); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range changes {
		out = append(out, c.Kind+" "+c.File.Path)
	}
	return out
}

func TestSecondRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new/dir")
	if got := run(t, dir, seed); len(got) != 16 {
		t.Errorf("first run: %q", got)
	}
	if got := run(t, dir, seed); len(got) != 0 {
		t.Errorf("second run: %q", got)
	}
	other := strings.Replace(seed, "10.1.1.165/", "10.1.1.167/", 1)
	want := []string{
		"changed tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-fe", "changed tftp/ipxe/aa-bb-cc-dd-ee-fe.ipxe", "changed tftp/ipxe/aa-bb-cc-dd-ee-fe-sanhook.ipxe",
		"changed tftp/grub/grub.cfg-01-aa-bb-cc-dd-ee-fe", "changed tftp/pxelinux.cfg/default", "changed dnsmasq.conf",
	}
	if diff := cmp.Diff(want, run(t, dir, other)); diff != "" {
		t.Errorf("another address (-want +got):\n%s", diff)
	}
	// A secret that somebody opened to all is closed again.
	secret := filepath.Join(dir, "tftp/secrets/remote2.img")
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"changed tftp/secrets/remote2.img"}, run(t, dir, other)); diff != "" {
		t.Errorf("an open secret (-want +got):\n%s", diff)
	}
	if st, err := os.Stat(secret); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	// What belongs to a machine that is no more goes, and what is not ours stays.
	if err := os.WriteFile(filepath.Join(dir, "tftp/pxelinux.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	one := other[:strings.Index(other, "  - name: remote2")]
	removed := 0
	for _, line := range run(t, dir, one) {
		if strings.HasPrefix(line, "removed ") {
			removed++
		}
	}
	if _, err := os.Stat(secret); removed != 5 || err == nil {
		t.Errorf("%d files were removed, the secret: %v", removed, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tftp/pxelinux.0")); err != nil {
		t.Error(err)
	}
}

// An error leaves everything as it was.
func TestNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, seed)
	list, err := room(t, strings.Replace(seed, "10.1.1.165/", "10.1.1.167/", 1)).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Compare(dir, list)
	if err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	// The last file cannot be written: its directory is a file.
	changes = append(changes, Change{Kind: "new", File: File{Path: "dnsmasq.conf/x"}})
	if err := Apply(dir, changes); err == nil || !strings.HasPrefix(err.Error(), "write to "+dir+": ") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		change Change
		want   string
	}{
		{Change{Kind: "changed", File: File{Path: "a", Data: []byte("1\n2\n3\n")}, Old: []byte("1\nx\ny\n3\n")}, "changed a\n-x\n-y\n+2\n"},
		{Change{Kind: "new", File: File{Path: "a", Data: []byte("1\n")}}, "new a\n+1\n"},
		{Change{Kind: "removed", File: File{Path: "a"}}, "removed a\n"},
		{Change{Kind: "changed", File: File{Path: "a", Data: []byte("secret"), Secret: true}}, "changed a (holds a secret, which is not shown)\n"},
		{Change{Kind: "changed", File: File{Path: "a", Data: []byte("open")}, Old: []byte("secret"), hidden: true}, "changed a (holds a secret, which is not shown)\n"},
	} {
		if got := c.change.Diff(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
