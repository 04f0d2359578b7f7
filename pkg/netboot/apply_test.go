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
	changes, err := Update(t.Context(), dir, list, Options{Waiting: func() {}})
	if err != nil {
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
	if got := run(t, dir, seed); len(got) != 15 {
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
	// A secret that other users can read gets its mode back.
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

func openDisk(t *testing.T, dir string) disk {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return rootDisk{root}
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
	if err := apply(t.Context(), openDisk(t, dir), changes, Owner{}); err == nil {
		t.Error("no error")
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

// What a run that was killed has left is replaced, and what is in the way is an error that changes
// nothing.
func TestApplyAfterAKill(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dnsmasq.conf"+temporary), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, seed)
	for name := range snapshot(t, dir) {
		if strings.HasSuffix(name, temporary) {
			t.Errorf("%s is left", name)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "dnsmasq.conf")); err != nil || !strings.HasPrefix(string(text), written) {
		t.Errorf("dnsmasq.conf: %q, %v", text, err)
	}
	if st, err := os.Stat(filepath.Join(dir, "dnsmasq.conf")); err != nil || st.Mode() != 0o644 {
		t.Errorf("dnsmasq.conf: %v, %v", st, err)
	}
	if err := os.Remove(filepath.Join(dir, "tgt.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tgt.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	list, err := room(t, seed).Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(dir, list); err == nil || !strings.HasPrefix(err.Error(), "read what is there: ") {
		t.Errorf("a directory in place of a file: %v", err)
	}
}

// Only what a run has written is removed, and nothing outside of its directory, whatever the list
// of an earlier run holds.
func TestOnlyOurs(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "out")
	run(t, dir, seed)
	outside := filepath.Join(top, "outside")
	if err := os.WriteFile(outside, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, manifest)
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte(string(text)+"../outside\n"+outside+"\nis/no/more\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), run(t, dir, seed)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	// A link that leads out of the directory is not followed.
	other := filepath.Join(top, "other")
	if err := os.Rename(filepath.Join(dir, "tftp"), other); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "tftp")); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, other)
	err = apply(t.Context(), openDisk(t, dir), []Change{{Kind: "changed", File: File{Path: "tftp/grub/grub.cfg", Data: []byte("x")}}}, Owner{})
	if diff := cmp.Diff(before, snapshot(t, other)); err == nil || diff != "" {
		t.Errorf("error %v, -before +after:\n%s", err, diff)
	}
}

// What machines load and pxe does not write is named until it is there, once for all machines.
func TestLacks(t *testing.T) {
	dir := t.TempDir()
	for loader, want := range map[string][]string{
		"pxelinux": {"remote/vmlinuz-2.6.17-5mdv", "remote/initrd.img", "pxelinux.0", "ldlinux.c32"},
		"grub":     {"remote/vmlinuz-2.6.17-5mdv", "remote/initrd.img", "grubx64.efi"},
		"ipxe":     {"remote/vmlinuz-2.6.17-5mdv", "remote/initrd.img", "undionly.kpxe", "snponly.efi"},
	} {
		r := room(t, strings.Replace(seed, "server:", "loader: "+loader+"\nserver:", 1))
		var got []string
		for _, line := range r.Lacks(dir) {
			name, how, ok := strings.Cut(line, " is not there yet: ")
			if !ok || how == "" {
				t.Errorf("%s: %q", loader, line)
			}
			got = append(got, strings.TrimPrefix(name, filepath.Join(dir, "tftp")+"/"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", loader, diff)
		}
	}
	kernel := filepath.Join(dir, "tftp/remote/vmlinuz-2.6.17-5mdv")
	if err := os.MkdirAll(filepath.Dir(kernel), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kernel, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := room(t, seed).Lacks(dir); len(got) != 3 || strings.Contains(strings.Join(got, "\n"), "vmlinuz") {
		t.Errorf("with a kernel: %q", got)
	}
}
