package kernel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sysfs makes the files of session 3 on host 2 and returns them as a session.
func sysfs(t *testing.T, targetID string) (*Session, func(path string) string) {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"class/iscsi_session/session3/target_id":     targetID,
		"class/iscsi_session/session3/recovery_tmo":  "120\n",
		"class/iscsi_session/session3/state":         "LOGGED_IN\n",
		"class/iscsi_connection/connection3:0/state": "up\n",
		"class/scsi_host/host2/scan":                 "",
	} {
		full := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return &Session{t: &Transport{sysfs: Sysfs(dir)}, SID: 3, HostNo: 2}, func(path string) string {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestScan(t *testing.T) {
	for lun, want := range map[uint64]string{0: "0 5 0", 16383: "0 5 16383", ScanAll: "0 5 -"} {
		s, read := sysfs(t, "5\n")
		if err := s.Scan(lun); err != nil {
			t.Error(err)
		}
		if got := read("class/scsi_host/host2/scan"); got != want {
			t.Errorf("lun %d: wrote %q, want %q", lun, got, want)
		}
	}
	// A session without a target shows 2^32-1 or -1, by kernel.
	for _, id := range []string{"-1\n", "", "none\n"} {
		s, read := sysfs(t, id)
		if err := s.Scan(0); err == nil || !strings.HasPrefix(err.Error(), "scan session 3: target id: ") {
			t.Errorf("%q: got %v", id, err)
		}
		if got := read("class/scsi_host/host2/scan"); got != "" {
			t.Errorf("%q: wrote %q", id, got)
		}
	}
	for _, s := range []*Session{{SID: 4, HostNo: 2}, {SID: 3, HostNo: 9}} {
		with, _ := sysfs(t, "0\n")
		s.t = with.t
		if err := s.Scan(0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: got %v", s, err)
		}
	}
}

func TestSetRecoveryTimeout(t *testing.T) {
	s, read := sysfs(t, "0\n")
	for seconds, want := range map[int]string{86400: "86400", 0: "0", -1: "off"} {
		if err := s.SetRecoveryTimeout(seconds); err != nil {
			t.Error(err)
		}
		if got := read("class/iscsi_session/session3/recovery_tmo"); strings.TrimSpace(got) != want {
			t.Errorf("%d: wrote %q", seconds, got)
		}
	}
	s.SID = 4
	if err := s.SetRecoveryTimeout(1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// The ISID is the one that iscsid derives from a session id.
func TestISID(t *testing.T) {
	for sid, want := range map[uint32][6]byte{
		1:          {0, 2, 0x3d, 0, 0, 1},
		0x01020304: {0, 2, 0x3d, 2, 3, 4},
	} {
		if got := (&Session{SID: sid}).ISID(); got != want {
			t.Errorf("%#x: % x", sid, got)
		}
	}
}

// Every request and parameter has a name for messages; an unknown one has its number.
func TestNames(t *testing.T) {
	for typ := createSession; typ <= sendPDU; typ++ {
		if s := typ.String(); strings.HasPrefix(s, "event ") {
			t.Errorf("%d has no name", typ)
		}
	}
	if s := eventType(99).String(); s != "event 99" {
		t.Errorf("got %q", s)
	}
	if s := Param(63).String(); s != "parameter 63" {
		t.Errorf("got %q", s)
	}
	if s := TargetName.String(); s != "TargetName" {
		t.Errorf("got %q", s)
	}
}

func TestStates(t *testing.T) {
	s, _ := sysfs(t, "0\n")
	if got, err := s.State(); got != "LOGGED_IN" || err != nil {
		t.Errorf("session: %q, %v", got, err)
	}
	if got, err := s.ConnState(); got != "up" || err != nil {
		t.Errorf("connection: %q, %v", got, err)
	}
	s.SID = 4
	if _, err := s.State(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a session that is gone: %v", err)
	}
}

// The sessions are those in the kernel's class directory; other entries are ignored.
func TestSysfs(t *testing.T) {
	s, _ := sysfs(t, "0\n")
	dir := string(s.t.sysfs)
	const place = "devices/platform/host7/session10/iscsi_session/session10"
	class := filepath.Join(dir, "class/iscsi_session")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, place), 0o755), os.Symlink("../../"+place, filepath.Join(class, "session10")),
		os.Mkdir(filepath.Join(class, "sessionx"), 0o755), os.MkdirAll(filepath.Join(dir, "class/iscsi_host/host7"), 0o755),
		os.WriteFile(filepath.Join(dir, "class/iscsi_host/host7/ipaddress"), []byte("10.0.0.5\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if got := s.t.sysfs.Sessions(); !slices.Equal(got, []uint32{10, 3}) {
		t.Errorf("sessions %v", got)
	}
	if host, ok := s.t.sysfs.HostOf(10); host != 7 || !ok {
		t.Errorf("host %d, %v", host, ok)
	}
	if host, ok := s.t.sysfs.HostOf(4); ok {
		t.Errorf("a session that there is not has host %d", host)
	}
	if got, err := s.t.sysfs.Host(7, "ipaddress"); got != "10.0.0.5" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.t.sysfs.Session(3, "tpgt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an attribute that there is not: %v", err)
	}
}

// A session without a target was never logged in; one that is gone is not there at all.
func TestReserved(t *testing.T) {
	for text, want := range map[string]bool{"(null)\n": true, "<NULL>\n": true, "\n": true, "iqn.a\n": false} {
		s, _ := sysfs(t, "0\n")
		if err := os.WriteFile(s.t.sysfs.SessionPath(3, "targetname"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := s.t.sysfs.Reserved(3); got != want {
			t.Errorf("%q: %v", text, got)
		}
		if s.t.sysfs.Reserved(4) {
			t.Error("a session that there is not is reserved")
		}
	}
}
