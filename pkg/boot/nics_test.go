package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Names lead nowhere that is known before the network is up.
func TestPortals(t *testing.T) {
	plan, err := bootspec.Parse(cmdline.Parse("iscsi_i=iqn.2007-01.com.example:m iscsi_i_ip=10.0.0.2/24" +
		" iscsi_t=iqn.2007-01.com.example:a iscsi_a=10.0.0.1,storage,[fd09::1] iscsi_t.2=iqn.2007-01.com.example:b iscsi_a.2=storage"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(portals(plan.Targets)); got != "[[10.0.0.1 fd09::1] []]" {
		t.Errorf("portals %s", got)
	}
}

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
	if got := anotherThan("ens2", dir) + (&Machine{}).anotherNIC(); got != "" {
		t.Errorf("advice %q without another NIC", got)
	}
}

// Without a choice all NICs are root's.
func TestOurs(t *testing.T) {
	m := &Machine{}
	if !m.ours("ens2") || len(m.sessionNICs(nil)) > 0 {
		t.Error("the only NIC is not ours")
	}
	m.net.nics = []string{"ens3"}
	if m.ours("ens2") || !m.ours("ens3") {
		t.Error("only the NIC of a session is ours")
	}
}
