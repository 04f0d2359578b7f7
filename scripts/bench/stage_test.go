package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As tgtadm 1.0.85 prints it after two machines were switched off; a session may have no connection left.
const shownConnections = `Session: 3
Session: 2
    Connection: 0
        Initiator: iqn.2007-01.com.example:server.remote1
        IP Address: 10.77.0.2
Session: 1
    Connection: 1
        Initiator: iqn.2007-01.com.example:server.remote1
        IP Address: 10.77.0.2
`

func TestConnections(t *testing.T) {
	want := [][2]string{{"2", "0"}, {"1", "1"}}
	if d := cmp.Diff(want, connections(shownConnections)); d != "" {
		t.Error(d)
	}
	if got := connections(""); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
