package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func newMemory(t *testing.T) stateMemory {
	t.Helper()
	m, err := newStateMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestStateMemory(t *testing.T) {
	m := newMemory(t)
	if _, err := m.load(); !errors.Is(err, errEmpty) {
		t.Fatalf("a new one: %v", err)
	}
	for i := range 5 {
		want := bytes.Repeat([]byte{byte(i)}, 1000*i)
		if err := m.keep(want); err != nil {
			t.Fatal(err)
		}
		if got, err := m.load(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("state %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// A worker that dies while it writes leaves what counted before.
func TestStateMemorySurvivesAKill(t *testing.T) {
	m := newMemory(t)
	for _, s := range []string{"first", "second"} {
		if err := m.keep([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.WriteAt([]byte("garbage"), offset(0)); err != nil { // the place that does not count
		t.Fatal(err)
	}
	if got, err := m.load(); string(got) != "second" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := m.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, offset(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.load(); err == nil {
		t.Error("a length of 4 GiB was believed")
	}
}

func TestReceiveState(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory(t)
	if _, err := unix.Write(pair[0], []byte("state")); err != nil {
		t.Fatal(err)
	}
	if err := m.receive(pair[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := m.load(); string(got) != "state" || err != nil {
		t.Errorf("from PID 1: %q, %v", got, err)
	}
	_ = unix.Close(pair[0])
	if err := newMemory(t).receive(pair[1]); err == nil {
		t.Error("PID 1 went away and nobody noticed")
	}
	_ = unix.Close(pair[1])
}

func TestNeedsPerson(t *testing.T) {
	for code, want := range map[uint16]bool{0x0201: true, 0x0202: true, 0x0203: false, 0x0301: false, 0x0206: false} {
		err := fmt.Errorf("login: %w", &iscsi.StatusError{Class: uint8(code >> 8), Detail: uint8(code)})
		if got := needsPerson(err); got != want {
			t.Errorf("%04x: %v", code, got)
		}
	}
	if !needsPerson(fmt.Errorf("login: %w", &iscsi.AuthError{})) {
		t.Error("a target that failed to prove itself heals by itself")
	}
}

func TestReport(t *testing.T) {
	got := reportSessions([]Status{
		{SID: 1, Name: "iqn.a", Portals: []string{"10.0.0.1:3260", "[fd00::1]:3260"}, Up: true, Outages: 2, Longest: 1500 * time.Millisecond},
		{SID: 2, Name: "iqn.b", Passive: true, Down: time.Minute, Cause: "lost", LastErr: "refused"},
		{SID: 3, Name: "iqn.c", Ended: true},
	})
	want := "session 1 target iqn.a state up owner iscsiroot outages 2 longest 1.5 down 0.0\n" +
		"session 1 portal 10.0.0.1:3260\nsession 1 portal [fd00::1]:3260\n" +
		"session 2 target iqn.b state down owner iscsid outages 0 longest 0.0 down 60.0\n" +
		"session 2 cause \"lost\"\nsession 2 cause \"refused\"\n" +
		"session 3 target iqn.c state ended owner iscsiroot outages 0 longest 0.0 down 0.0\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	for _, text := range []string{"one", "two"} {
		if err := replace(path, text); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); string(b) != text || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := replace(filepath.Join(path, "below"), ""); err == nil {
		t.Error("written below a file")
	}
}

func TestProgramRanges(t *testing.T) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	ranges := programRanges(string(b))
	here := uintptr(0)
	for _, r := range ranges {
		if r.from >= r.to {
			t.Errorf("range %x-%x", r.from, r.to)
		}
		here += r.to - r.from
	}
	if info, err := os.Stat("/proc/self/exe"); err != nil || here < uintptr(info.Size())/4 {
		t.Errorf("%d bytes of a program of %d bytes", here, info.Size())
	}
	if got := programRanges("zz-1 r-xp 0 0:0 5 x\n10-5 r-xp 0 0:0 5 x\nshort\n7f00-7fff r--p 0 0:0 0 \n"); got != nil {
		t.Errorf("from noise: %v", got)
	}
}

func TestInstall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a/b/program")
	for range 2 { // the second time it is there
		if err := install(path); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != own.Size() || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	if err := install(filepath.Join(path, "below")); err == nil {
		t.Error("installed below a file")
	}
}
