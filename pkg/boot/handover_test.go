package boot

import "testing"

func TestNamesStay(t *testing.T) {
	for release, want := range map[string]bool{
		"5.10.0-30-amd64": true, "6.1.0-56-amd64": true, "6.2": false, "6.12.90+deb12-amd64": false, "7.0": false, "": false, "x": false,
	} {
		if got := namesStay(release); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}

// Without a choice all NICs are root's.
func TestOurs(t *testing.T) {
	if !ours(nil, "ens2") {
		t.Error("the only NIC is not kept")
	}
	if nics := []string{"ens3"}; ours(nics, "ens2") || !ours(nics, "ens3") {
		t.Error("only the NIC of a session is kept")
	}
}
