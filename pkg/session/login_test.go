package session

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// steps formats requests.
func steps(requests []kerneltest.Request) []string {
	var out []string
	for _, r := range requests {
		switch r.Type {
		case kerneltest.CreateSession:
			out = append(out, fmt.Sprintf("create session, CmdSN %d", r.CmdSN))
		case kerneltest.CreateConn:
			out = append(out, "create connection")
		case kerneltest.BindConn:
			out = append(out, fmt.Sprintf("bind, leading %d", r.Leading))
		case kerneltest.SetParam:
			out = append(out, fmt.Sprintf("set %d %s", r.Param, r.Value))
		case kerneltest.SendPDU:
			out = append(out, "login request")
		case kerneltest.StartConn:
			out = append(out, "start")
		case kerneltest.StopConn:
			out = append(out, fmt.Sprintf("stop %d", r.Flag))
		default:
			out = append(out, fmt.Sprintf("request %d", r.Type))
		}
	}
	return out
}

// A login sets all parameters that iscsid reads, each when the kernel accepts it
// (include/scsi/iscsi_if.h: enum iscsi_param).
func TestLogin(t *testing.T) {
	tg := startTarget(t, welcome)
	s, k := newSession(t, tg.portal)
	notes, err := s.Login(t.Context())
	if err != nil || len(notes.Warnings)+len(notes.Oddities) != 0 {
		t.Fatalf("%q, %v", notes, err)
	}
	want := []string{
		"create session, CmdSN 1", "create connection", "bind, leading 1",
		"set 15 " + targetName, "set 17 127.0.0.1", "set 18 " + strconv.Itoa(int(tg.portal.Port())),
		"set 26 1", "set 27 15", "set 28 30", "set 35 30", "set 32 default", "set 34 " + initiator,
		"set 30 3", "set 31 1", // until root is mounted
		"login request", "login request",
		"set 16 5", "set 0 262144", "set 1 65536", "set 2 0", "set 3 0", "set 4 0", "set 5 1", "set 6 1",
		"set 7 131072", "set 8 524288", "set 9 1", "set 10 1", "set 11 0", "set 14 2",
		"start",
	}
	if diff := cmp.Diff(want, steps(k.Requests())); diff != "" {
		t.Error(diff)
	}
	if n := sockets(t, k.Requests()[2]); n != 1 {
		t.Errorf("the connection is open %d times in this process, the kernel's is one", n)
	}
	k.Close()
	checkWire(t, tg, s.Record)
}

// checkWire compares what the target saw with the session's record.
func checkWire(t *testing.T, tg *target, r Record) {
	t.Helper()
	isid := [6]byte{0, 2, 0x3d, 1, 2, 3}
	logins := tg.logins(t)
	if len(logins) != 1 || len(logins[0]) != 2 {
		t.Fatalf("logins %v", logins)
	}
	if got := logins[0][0]; got.CSG != iscsi.StageSecurity || got.NSG != iscsi.StageOperational || !got.Transit || got.ISID != isid || got.TSIH != 0 || got.CID != 0 || got.CmdSN != 1 {
		t.Errorf("got %+v", got)
	}
	if r.ISID != isid || r.SID != 0x010203 || r.HostNo != 0x010203+100 || r.TPGT != 5 || r.TSIH != 1 ||
		r.Target != targetName || r.Initiator != initiator || r.Portal != tg.portal || r.Params.MaxBurstLength != 524288 {
		t.Errorf("got %+v", r)
	}
}

// sockets counts this process's descriptors of connections to the target of a bind.
func sockets(t *testing.T, bind kerneltest.Request) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && link == bind.Socket {
			n++
		}
	}
	if !strings.HasPrefix(bind.Socket, "socket:[") {
		t.Errorf("bound %q", bind.Socket)
	}
	return n
}

// A configured portal group is expected, and used where the target reports none.
func TestGroup(t *testing.T) {
	tg := startTarget(t, script(noAuth, iscsitest.Text(), iscsitest.Silence()), welcome)
	k := kerneltest.New()
	tr := k.Transport()
	defer func() { _ = tr.Close() }()
	target := specOf(tg.portal)
	target.Group = bootspec.Value[uint16]{V: 9, From: "iscsi_tgpt="}
	s := startSession(t, tr, Config{Initiator: initiator, Target: target})
	if _, err := s.Login(t.Context()); err != nil || s.TPGT != 9 {
		t.Errorf("TPGT %d, %v", s.TPGT, err)
	}
	if !strings.Contains(strings.Join(steps(k.Requests()), "\n"), "set 16 9") {
		t.Error("the kernel did not get it")
	}
	k.Close()
	notes, err := s.Login(t.Context())
	if err != nil || s.TPGT != 5 || !strings.Contains(strings.Join(notes.Oddities, "\n"), "expected 9") {
		t.Errorf("TPGT %d, %q, %v", s.TPGT, notes, err)
	}
	k.Close()
}
