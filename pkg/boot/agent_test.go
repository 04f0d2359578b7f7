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
