package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// failure is a way for a login to fail. %P in text is the portal.
type failure struct {
	name      string
	scripts   []iscsitest.Script
	refuse    uint32 // the request that the kernel refuses
	param     uint32 // for SetParam
	errno     unix.Errno
	retryable bool
	text      string
	hint      string // a part of it; empty: none
}

func script(s ...iscsitest.Step) iscsitest.Script { return s }

var failures = []failure{
	{
		name: "access list", scripts: []iscsitest.Script{script(iscsitest.Status(0x0202))}, retryable: true,
		text: " refused (0202): this initiator name is not in the target's access list, in the security stage (initiator " + initiator + ", attempt 1)",
		hint: "add the name in iscsi_i= to the target's access list",
	},
	{
		name: "no such target", scripts: []iscsitest.Script{script(iscsitest.Status(0x0203))}, retryable: true,
		text: " refused (0203): this portal has no target of that name",
		hint: "correct iscsi_t=",
	},
	{
		name: "not ready", scripts: []iscsitest.Script{script(iscsitest.Status(0x0301))}, retryable: true,
		text: " not served (0301): the target's service is not available now",
		hint: "the name in iscsi_t=",
	},
	{
		name: "wants CHAP", scripts: []iscsitest.Script{script(iscsitest.Status(0x0201))},
		text: " refused (0201): authentication failed: wrong user or secret, or the target requires authentication",
		hint: "iscsi_u= and iscsi_w=", retryable: true,
	},
	{
		name: "closes without a word", scripts: []iscsitest.Script{script(iscsitest.Close())}, retryable: true,
		text: ": receive response 1 (security stage): target closed the connection (kernel error 1020)",
		hint: "check iscsi_t=, iscsi_i=",
	},
	{
		name: "no login response", scripts: []iscsitest.Script{script(iscsitest.Raw(make([]byte, 48)), iscsitest.Silence())},
		text: ": protocol error of the target: ",
	},
	{
		name: "bind", scripts: []iscsitest.Script{nil}, refuse: kerneltest.BindConn, errno: unix.EINVAL,
		text: ": bind connection session 66051: invalid argument",
	},
	{
		name: "parameter before", scripts: []iscsitest.Script{script(iscsitest.Silence())}, refuse: kerneltest.SetParam, param: 15, errno: unix.EINVAL,
		text: ": set parameter TargetName of session 66051: invalid argument",
	},
	{
		name: "parameter after", scripts: []iscsitest.Script{welcome}, refuse: kerneltest.SetParam, param: 8, errno: unix.EINVAL,
		text: ": set parameter MaxBurstLength of session 66051: invalid argument",
	},
	{
		name: "closes right after the login", scripts: []iscsitest.Script{welcome}, refuse: kerneltest.SetParam, param: 16, errno: unix.ENOTCONN,
		retryable: true, text: ": set parameter TPGT of session 66051: transport endpoint is not connected",
	},
	{
		name: "start", scripts: []iscsitest.Script{welcome}, refuse: kerneltest.StartConn, errno: unix.EINVAL,
		text: ": start connection session 66051: invalid argument",
	},
}

// After every failure the connection is stopped, the session is kept, and the next login succeeds
// with the same ISID.
func TestFailures(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			tg := startTarget(t, append(slices.Clone(f.scripts), welcome)...)
			s, k := newSession(t, tg.portal)
			failing := true // read by Login's own goroutine only
			k.Refuse = func(r kerneltest.Request) unix.Errno {
				if failing && f.refuse != 0 && r.Type == f.refuse && r.Param == f.param {
					return f.errno
				}
				return 0
			}
			_, err := s.Login(t.Context())
			checkLoginError(t, err, f, tg.portal)
			all := k.Requests()
			if all[len(all)-1].Type != kerneltest.StopConn {
				t.Errorf("not stopped: %q", steps(all))
			}
			failing = false
			if _, err := s.Login(t.Context()); err != nil {
				t.Fatalf("the next try: %v", err)
			}
			checkTries(t, k.Requests(), len(f.scripts)+1)
			k.Close()
			checkISIDs(t, tg, len(f.scripts)+1)
		})
	}
}

func checkLoginError(t *testing.T, err error, f failure, portal netip.AddrPort) {
	t.Helper()
	var le *LoginError
	if !errors.As(err, &le) {
		t.Fatalf("got %v", err)
	}
	if want := "login to " + targetName + " at " + portal.String() + f.text; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %q\nwant %q", err, want)
	}
	if le.Retryable() != f.retryable {
		t.Errorf("retryable: %v", le.Retryable())
	}
	if hint := le.Hint(); !strings.Contains(hint, f.hint) || f.hint == "" && hint != "" {
		t.Errorf("hint %q, want %q", hint, f.hint)
	}
}

// checkTries: one session, never destroyed, one stop for each bind but the last.
func checkTries(t *testing.T, requests []kerneltest.Request, tries int) {
	t.Helper()
	n := map[uint32]int{}
	for _, r := range requests {
		n[r.Type]++
	}
	if n[kerneltest.CreateSession] != 1 || n[kerneltest.CreateConn] != 1 || n[kerneltest.DestroyConn]+n[kerneltest.DestroyAsync] != 0 ||
		n[kerneltest.BindConn] != tries || n[kerneltest.StopConn] != tries-1 {
		t.Errorf("%d tries: %q", tries, steps(requests))
	}
}

func checkISIDs(t *testing.T, tg *target, connections int) {
	t.Helper()
	logins := tg.logins(t)
	if len(logins) != connections {
		t.Errorf("%d connections, want %d", len(logins), connections)
	}
	for _, requests := range logins {
		for _, r := range requests {
			if r.ISID != [6]byte{0, 2, 0x3d, 1, 2, 3} || r.TSIH != 0 {
				t.Errorf("ISID % x, TSIH %d", r.ISID, r.TSIH)
			}
		}
	}
}

// If a target refuses the security stage, the login is retried without one on a new connection. The
// end of a connection is not a refusal: it may be a reset, and a login without a security stage may
// leave the old session behind.
func TestNoSecurityStage(t *testing.T) {
	for name, tt := range map[string]struct {
		first iscsitest.Script
		again bool
	}{
		"0200":             {script(iscsitest.Status(0x0200)), true},
		"020b":             {script(iscsitest.Status(0x020b)), true},
		"0200 later":       {script(noAuth, iscsitest.Status(0x0200)), false},
		"wants CHAP":       {script(iscsitest.Status(0x0201)), false},
		"closes":           {script(iscsitest.Close()), false},
		"reset on its way": {script(iscsitest.Reset()), false},
	} {
		t.Run(name, func(t *testing.T) {
			scripts := []iscsitest.Script{tt.first}
			if tt.again {
				scripts = append(scripts, script(agree, iscsitest.Silence()))
			}
			tg := startTarget(t, scripts...)
			s, k := newSession(t, tg.portal)
			if _, err := s.Login(t.Context()); (err == nil) != tt.again {
				t.Errorf("error %v", err)
			}
			k.Close()
			checkISIDs(t, tg, len(scripts))
			for i, r := range tg.logins(t) {
				if want := []iscsi.Stage{iscsi.StageSecurity, iscsi.StageOperational}[i]; r[0].CSG != want {
					t.Errorf("connection %d began in the %v", i+1, r[0].CSG)
				}
			}
		})
	}
}

// If both logins are refused, the error is the more specific one.
func TestBothFormsRefused(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Status(0x0200)), script(iscsitest.Status(0x0202)))
	s, _ := newSession(t, tg.portal)
	_, err := s.Login(t.Context())
	checkLoginError(t, err, failure{retryable: true, text: " refused (0202)", hint: "iscsi_i="}, tg.portal)
}

// A silent target and an expired context are time-outs, which are retryable.
func TestSilence(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Silence()))
	s, k := newSession(t, tg.portal)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Login(ctx)
	checkLoginError(t, err, failure{retryable: true, text: ": receive response 1 (security stage): receive pdu: context deadline exceeded"}, tg.portal)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if all := k.Requests(); all[len(all)-1].Type != kerneltest.StopConn {
		t.Errorf("not stopped: %q", steps(all))
	}
}

// After a refused connection nothing is bound and nothing is stopped.
func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	portal := l.Addr().(*net.TCPAddr).AddrPort()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s, k := newSession(t, portal)
	_, err = s.Login(t.Context())
	checkLoginError(t, err, failure{retryable: true, text: ": connection refused", hint: "check that the target is running"}, portal)
	if all := k.Requests(); len(all) != 2 {
		t.Errorf("got %q", steps(all))
	}
}

// The error of a failed stop follows its cause.
func TestStopFails(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Status(0x0202)))
	s, k := newSession(t, tg.portal)
	k.Refuse = func(r kerneltest.Request) unix.Errno {
		if r.Type == kerneltest.StopConn {
			return unix.EINVAL
		}
		return 0
	}
	_, err := s.Login(t.Context())
	if err == nil || !strings.Contains(err.Error(), "refused (0202)") || !errors.Is(err, unix.EINVAL) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// The kernel refuses to create a session.
func TestCreateRefused(t *testing.T) {
	k := kerneltest.New()
	k.Refuse = func(kerneltest.Request) unix.Errno { return unix.ENOMEM }
	tr := k.Transport()
	defer func() { _ = tr.Close() }()
	if s, err := Reserve(t.Context(), tr); !errors.Is(err, unix.ENOMEM) || s != nil {
		t.Errorf("got %v, %v", s, err)
	}
}
