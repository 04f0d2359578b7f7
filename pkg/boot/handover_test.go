package boot

import "testing"

func TestRenameRefused(t *testing.T) {
	for release, want := range map[string]bool{
		"5.10.0-30-amd64": true, "6.1.0-56-amd64": true, "6.2": false, "6.12.90+deb12-amd64": false, "7.0": false, "": false, "x": false,
	} {
		if got := renameRefused(release); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}

// Where no NICs are known all are root's.
func TestCarriesRoot(t *testing.T) {
	if !carriesRoot(nil, "ens2") {
		t.Error("the only NIC is not kept")
	}
	if nics := []string{"ens3"}; carriesRoot(nics, "ens2") || !carriesRoot(nics, "ens3") {
		t.Error("only the NIC of a session is kept")
	}
}
