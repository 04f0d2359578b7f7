package login

import (
	"os"
	"path/filepath"
	"testing"
)

// Advice names a NIC that exists.
func TestAnotherNIC(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lo", "bond0", "ens2/device", "ens3/device"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := "the login was tried by ens2: set another NIC by iscsi_if= or ip=, such as ens3"
	if got := otherThan("ens2", dir); got != want {
		t.Errorf("advice %q", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "ens3")); err != nil {
		t.Fatal(err)
	}
	if got := otherThan("ens2", dir); got != "" {
		t.Errorf("advice %q without another NIC", got)
	}
}
