package status

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A session as text, from attributes of Linux 6.1.
func TestSessions(t *testing.T) {
	sys := t.TempDir()
	if got := Sessions(sys); got != "there is no iSCSI session\n" {
		t.Errorf("got %q", got)
	}
	for path, text := range map[string]string{
		"class/iscsi_session/session3/state":                      "LOGGED_IN",
		"class/iscsi_session/session3/targetname":                 "iqn.2007-01.com.example:b",
		"class/iscsi_session/session3/tpgt":                       "1",
		"class/iscsi_session/session3/initiatorname":              "iqn.2007-01.com.example:a",
		"class/iscsi_session/session3/recovery_tmo":               "86400",
		"class/iscsi_session/session3/max_burst_len":              "262144",
		"class/iscsi_connection/connection3:0/state":              "up",
		"class/iscsi_connection/connection3:0/address":            "10.0.0.1",
		"class/iscsi_connection/connection3:0/port":               "3260",
		"class/iscsi_connection/connection3:0/persistent_address": "10.0.0.9",
		"class/iscsi_connection/connection3:0/persistent_port":    "3260",
		"class/iscsi_connection/connection3:0/ping_tmo":           "30",
		"class/iscsi_connection/connection3:0/recv_tmo":           "15",
		"class/iscsi_connection/connection3:0/header_digest":      "1",
		"class/iscsi_session/session4/state":                      "FREE",
		"class/iscsi_session/session4/targetname":                 "(null)",
	} {
		path = filepath.Join(sys, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const want = `session 3: logged in (connection up)
  target     iqn.2007-01.com.example:b, portal group 1
  portal     10.0.0.1 port 3260, given as 10.0.0.9 port 3260
  initiator  iqn.2007-01.com.example:a
  disks      none
  negotiated HeaderDigest=CRC32C DataDigest=unknown InitialR2T=unknown ImmediateData=unknown FirstBurstLength=unknown
             MaxBurstLength=262144 MaxRecvDataSegmentLength=unknown MaxXmitDataSegmentLength=unknown MaxOutstandingR2T=unknown ErrorRecoveryLevel=unknown
  timers     ping after 15 s, lost 30 s later, I/O waits 86400 s for it to come back
session 4: not logged in: it has had no connection
`
	if diff := cmp.Diff(want, Sessions(sys)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
