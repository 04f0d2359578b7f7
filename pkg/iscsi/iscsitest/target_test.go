package iscsitest

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// enter logs in to a target and returns the errors of both sides.
func enter(t *testing.T, tg *Target, edit func(*iscsi.LoginConfig)) (res iscsi.Result, err, targetErr error) {
	t.Helper()
	conn, wait := tg.Start()
	cfg := (&Scenario{}).Config()
	if edit != nil {
		edit(&cfg)
	}
	res, err = iscsi.Login(t.Context(), iscsi.NewTCPPipe(conn), cfg)
	return res, err, wait()
}

func withCHAP(s Scenario) func(*iscsi.LoginConfig) {
	return func(c *iscsi.LoginConfig) { c.CHAP = s.Config().CHAP }
}

var bothWays = &Auth{User: User, Secret: Secret, TargetUser: TargetUser, TargetSecret: TargetSecret}

// TestTarget: the logins that are accepted, and the statuses of the others.
func TestTarget(t *testing.T) {
	mutual, oneWay := withCHAP(Scenario{Mutual: true}), withCHAP(Scenario{OneWay: true})
	md5 := func(c *iscsi.LoginConfig) { oneWay(c); c.CHAP.Algorithms = []iscsi.Algorithm{iscsi.MD5} }
	staged := func(c *iscsi.LoginConfig) { c.SecurityStage = true }
	digest := func(c *iscsi.LoginConfig) { c.Offer.HeaderDigest = iscsi.RequireDigest }
	digests := func(d iscsi.DigestPolicy) func(*iscsi.LoginConfig) {
		return func(c *iscsi.LoginConfig) { c.Offer.HeaderDigest, c.Offer.DataDigest = d, d }
	}
	with := func(edit func(*Auth)) *Auth {
		a := *bothWays
		edit(&a)
		return &a
	}
	tests := []struct {
		name   string
		target *Target
		edit   func(*iscsi.LoginConfig)
		want   string
	}{
		{"anybody", &Target{}, nil, "ok"},
		{"by name", &Target{Name: TargetName, Initiators: []string{InitiatorName}, TPGT: 3}, nil, "ok"},
		{"security stage", &Target{}, staged, "ok"},
		{"short parts", &Target{Part: 40}, nil, "ok"},
		{"another name", &Target{Name: "iqn.other"}, nil, "status 0203"},
		{"not in the list", &Target{Initiators: []string{"iqn.other"}}, nil, "status 0202"},
		{"wants a security stage", &Target{Security: 0x0200}, nil, "status 0200"},
		{"gets a security stage", &Target{Security: 0x0200}, staged, "ok"},
		{"moved", &Target{Redirect: "192.0.2.1:3260"}, nil, "status 0101"},
		{"moved for good", &Target{Redirect: "192.0.2.1:3260", Permanent: true}, nil, "status 0102"},
		{"digest", &Target{Digest: "CRC32C"}, digest, "ok"},
		{"no digest", &Target{}, digest, "protocol 13.1"},
		{"insists on a digest", &Target{RequireCRC32C: []string{"HeaderDigest"}}, nil, "status 0200"},
		{"gets the digest", &Target{RequireCRC32C: []string{"HeaderDigest"}}, digest, "ok"},
		{"no lists of digests", &Target{NoDigestLists: 0x020b}, digests(iscsi.AcceptDigest), "status 020b"},
		{"closes on lists of digests", &Target{NoDigestLists: Closes}, digests(iscsi.AcceptDigest), "closed"},
		{"wants CHAP", &Target{Auth: bothWays}, nil, "status 0201"},
		{"wants CHAP, gets None", &Target{Auth: bothWays}, staged, "status 0201"},
		{"does without CHAP", &Target{}, oneWay, "status 0201"},
		{"CHAP", &Target{Auth: bothWays}, oneWay, "ok"},
		{"mutual CHAP in parts", &Target{Auth: bothWays, Part: 30}, mutual, "ok"},
		{"wrong user", &Target{Auth: with(func(a *Auth) { a.User = "other" })}, oneWay, "status 0201"},
		{"wrong secret", &Target{Auth: with(func(a *Auth) { a.Secret = "other" })}, oneWay, "status 0201"},
		{"wrong target secret", &Target{Auth: with(func(a *Auth) { a.TargetSecret = "other" })}, mutual, "auth: target's CHAP response is wrong"},
		{"SHA1 only", &Target{Auth: with(func(a *Auth) { a.Algorithms = []iscsi.Algorithm{iscsi.SHA1} })}, mutual, "ok"},
		{"nothing in common", &Target{Auth: with(func(a *Auth) { a.Algorithms = []iscsi.Algorithm{iscsi.SHA1} })}, md5, "status 0201"},
		{"chokes on lists", &Target{Auth: with(func(a *Auth) { a.NoLists = 0x0200 })}, oneWay, "status 0200"},
		{"closes on lists", &Target{Auth: with(func(a *Auth) { a.NoLists = Closes })}, oneWay, "closed"},
		{"takes MD5 alone", &Target{Auth: with(func(a *Auth) { a.NoLists = Closes })}, md5, "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err, targetErr := enter(t, tt.target, tt.edit)
			if got := Outcome(err); got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if targetErr != nil && !errors.Is(targetErr, io.EOF) {
				t.Errorf("target: %v", targetErr)
			}
			if err == nil && (len(res.Warnings) != 0 || !res.HasTPGT || res.TPGT != tt.target.TPGT || tt.target.Logins() != 1) {
				t.Errorf("%+v, %d logins", res, tt.target.Logins())
			}
		})
	}
}

// TestTargetIsStrict: errors of an initiator.
func TestTargetIsStrict(t *testing.T) {
	names := string(Join("InitiatorName="+InitiatorName, "TargetName="+TargetName))
	first := func(edit func(r *iscsi.LoginRequest)) *iscsi.LoginRequest {
		r := &iscsi.LoginRequest{CSG: 1, Data: []byte(names)}
		if edit != nil {
			edit(r)
		}
		return r
	}
	second := func(edit func(r *iscsi.LoginRequest)) *iscsi.LoginRequest {
		return first(func(r *iscsi.LoginRequest) {
			r.Data, r.ExpStatSN = nil, 1
			edit(r)
		})
	}
	tests := []struct {
		name     string
		requests []*iscsi.LoginRequest
		want     string
	}{
		{"T and C", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Transit, r.Continue = true, true })}, "both T and C"},
		{"NSG without T", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.NSG = 3 })}, "NSG 3 without T"},
		{"stage to itself", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Transit, r.NSG = true, 1 })}, "from stage 1 to 1"},
		{"stage back", []*iscsi.LoginRequest{first(nil), second(func(r *iscsi.LoginRequest) { r.CSG = 0 })}, "back to stage 0"},
		{"another ITT", []*iscsi.LoginRequest{first(nil), second(func(r *iscsi.LoginRequest) { r.ITT = 1 })}, "changed"},
		{"ExpStatSN", []*iscsi.LoginRequest{first(nil), second(func(r *iscsi.LoginRequest) { r.ExpStatSN = 9 })}, "ExpStatSN 9, want 1"},
		{"key twice", []*iscsi.LoginRequest{first(nil), second(func(r *iscsi.LoginRequest) { r.Data = []byte(names) })}, "a second time"},
		{"name late", []*iscsi.LoginRequest{first(nil), second(func(r *iscsi.LoginRequest) { r.Data = Join("InitiatorAlias=a") })}, "not in the first request"},
		{"no boolean", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Data = append(r.Data, Join("ImmediateData=1")...) })}, "neither Yes nor No"},
		{"no number", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Data = append(r.Data, Join("MaxBurstLength=a")...) })}, "MaxBurstLength=a"},
		{"bad text", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Data = []byte("x") })}, "protocol error"},
		{"nobody", []*iscsi.LoginRequest{first(func(r *iscsi.LoginRequest) { r.Data = nil })}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, wait := (&Target{}).Start()
			pipe := iscsi.NewTCPPipe(conn)
			for _, r := range tt.requests {
				p, err := r.PDU()
				if err != nil {
					t.Fatal(err)
				}
				if err := pipe.Send(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				_, _ = pipe.Receive(t.Context()) // none after the last
			}
			if err := wait(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestTargetFullFeature: full feature phase without a disk.
func TestTargetFullFeature(t *testing.T) {
	tg := &Target{}
	conn, wait := tg.Start()
	pipe := iscsi.NewTCPPipe(conn)
	res, err := iscsi.Login(t.Context(), pipe, (&Scenario{}).Config())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(p *iscsi.PDU, want iscsi.Opcode) {
		t.Helper()
		if err := pipe.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			return
		}
		if p, err := pipe.Receive(t.Context()); err != nil || p.Opcode() != want {
			t.Fatalf("%v, want a %v", err, want)
		}
	}
	var command iscsi.PDU
	command.BHS[0] = byte(iscsi.OpSCSICommand)
	ask(&command, iscsi.OpReject)
	silent, err := (&iscsi.NOPOut{ITT: noTag, TTT: noTag}).PDU()
	if err != nil {
		t.Fatal(err)
	}
	ask(silent, 0)
	echo, err := (&iscsi.NOPOut{ITT: 1, TTT: noTag}).PDU()
	if err != nil {
		t.Fatal(err)
	}
	ask(echo, iscsi.OpNOPIn)
	if _, err := iscsi.Logout(t.Context(), pipe, iscsi.LogoutRequest{CmdSN: 1, ExpStatSN: res.ExpStatSN}); err != nil {
		t.Error(err)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// TestAdmit: a limited number of logins at a time; the others get a status, or are closed.
func TestAdmit(t *testing.T) {
	for full, want := range map[iscsi.Status]string{0x0302: "status 0302", 0: "closed"} {
		tg := &Target{Admit: 1, Hold: 20 * time.Millisecond, Full: full}
		if _, err, _ := enter(t, tg, nil); err != nil {
			t.Error(err)
		}
		if _, err, _ := enter(t, tg, nil); Outcome(err) != want {
			t.Errorf("second login: %v, want %s", err, want)
		}
		for try := 0; ; try++ {
			if _, err, _ := enter(t, tg, nil); err == nil {
				break
			}
			if try == 1000 {
				t.Fatal("the place is never given back")
			}
			time.Sleep(time.Millisecond)
		}
		if tg.Logins() != 2 || tg.Refusals() == 0 {
			t.Errorf("%d logins, %d refusals", tg.Logins(), tg.Refusals())
		}
	}
}

// TestServer: errors of serve are returned, and those of closed connections are not.
func TestServer(t *testing.T) {
	s, err := Listen(func(conn net.Conn) error {
		defer conn.Close()
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return err
		}
		return io.ErrNoProgress
	})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first, second := dial(), dial()
	defer second.Close()
	if _, err := first.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	for noted := false; !noted; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		noted = len(s.errs) > 0
		s.mu.Unlock()
	}
	if err := s.Close(); !errors.Is(err, io.ErrNoProgress) || errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection lives on")
	}
}
