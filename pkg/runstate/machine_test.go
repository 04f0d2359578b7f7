package runstate

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files of testdata/machine are those of a Debian 12 machine that ran for 49 s: what is read of
// them is written to the same bytes.
func TestMachine(t *testing.T) {
	sessions, err := ParseSessions(file(t, "machine/sessions"))
	if err != nil || len(sessions) != 1 || !sessions[0].Root || sessions[0].Portal != netip.MustParseAddrPort("10.77.0.1:3260") {
		t.Errorf("sessions: %+v, %v", sessions, err)
	}
	status, err := ParseStatus(file(t, "machine/status"))
	if err != nil || len(status.Sessions) != 1 || status.Sessions[0].State != Up || len(status.Links) != 1 || len(status.Links[0].Now) != 2 {
		t.Errorf("status: %+v, %v", status, err)
	}
	lease, err := ParseLease(file(t, "machine/lease-eth0"))
	if err != nil || lease.Address != netip.MustParsePrefix("10.77.0.2/24") {
		t.Errorf("lease: %+v, %v", lease, err)
	}
	for name, again := range map[string]string{
		"machine/sessions": FormatSessions(sessions), "machine/status": status.Format(), "machine/lease-eth0": FormatLease(lease),
	} {
		if diff := cmp.Diff(file(t, name), again); diff != "" {
			t.Errorf("%s: -read +written:\n%s", name, diff)
		}
	}
}
