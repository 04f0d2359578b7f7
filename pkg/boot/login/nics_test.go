package login

import (
	"os"
	"path/filepath"
	"testing"
)

// Advice names a NIC that there is.
func TestAnotherNIC(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lo", "bond0", "ens2/device", "ens3/device"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := "it was looked for by ens2: iscsi_if=NIC, or the NIC in ip=, takes another one, such as ens3"
	if got := anotherThan("ens2", dir); got != want {
		t.Errorf("advice %q", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "ens3")); err != nil {
		t.Fatal(err)
	}
	if got := anotherThan("ens2", dir); got != "" {
		t.Errorf("advice %q without another NIC", got)
	}
}
