package iscsi_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// maxTurns bounds the requests of a login: 16 exchanges in each of two stages, each of 32 parts of
// the target and up to 5 of the initiator.
const maxTurns = 2 * 16 * (32 + 5)

// words are the pairs that the target of FuzzMachine can send; those in angle brackets are computed
// from the request.
var words = func() []string {
	w := []string{
		"AuthMethod=CHAP", "AuthMethod=None", "AuthMethod=Reject", "TargetPortalGroupTag=1", "TargetPortalGroupTag=2",
		"CHAP_A=5", "CHAP_A=7", "CHAP_A=8", "CHAP_A=9", "CHAP_A=Reject", "CHAP_I=1", "CHAP_I=256",
		"CHAP_C=0x000102030405060708090a0b0c0d0e0f", "CHAP_C=0bAAEC", "CHAP_C=", "CHAP_N=" + targetUser, "CHAP_N=other",
		"<proof 5>", "<proof 7>", "<proof 8>", "<our proof 7>", "<echo C>", "<echo R>", "CHAP_R=0x00",
		"X-com.example=1", "X-com.example=Reject", "TargetAlias=store", "TargetAddress=192.0.2.1", "SendTargets=All", "SessionType=Normal",
		"HeaderDigest=CRC32C", "HeaderDigest=None", "DataDigest=CRC32C", "DataDigest=Reject", "IFMarker=Yes", "OFMarkInt=1~2",
	}
	for _, p := range answers() {
		w = append(w, p, p[:strings.Index(p, "=")]+"=Reject", p[:strings.Index(p, "=")]+"=511", p[:strings.Index(p, "=")]+"=No")
	}
	return w
}()

// peer is a target that sends what a string of bytes encodes: for each response a byte of flags, a
// number of words, the words.
type peer struct {
	program []byte
	req     *iscsi.LoginRequest
	keys    map[string]string
	turns   int
	proved  map[string]bool // the words in angle brackets that it sent
}

func (p *peer) next() byte {
	if len(p.program) == 0 {
		return 0
	}
	b := p.program[0]
	p.program = p.program[1:]
	return b
}

// Send receives a request, and fails the test if it is not valid.
func (p *peer) Send(_ context.Context, pdu *iscsi.PDU) error {
	req, err := iscsi.ParseLoginRequest(pdu)
	p.turns++
	switch {
	case err != nil:
		return fmt.Errorf("unsound: %w", err)
	case p.turns > maxTurns:
		return fmt.Errorf("unsound: %d requests", p.turns)
	case req.Transit && (req.Continue || req.NSG <= req.CSG), !req.Transit && req.NSG != 0, p.req != nil && req.CSG < p.req.CSG:
		return fmt.Errorf("unsound: T %v, C %v, CSG %d, NSG %d", req.Transit, req.Continue, req.CSG, req.NSG)
	}
	p.req = req
	if len(req.Data) > 0 {
		p.keys = iscsitest.Keys(pdu)
	}
	return nil
}

// Receive makes the next response, until the program ends.
func (p *peer) Receive(context.Context) (*iscsi.PDU, error) {
	if len(p.program) == 0 {
		return nil, io.EOF
	}
	f := p.next()
	r := &iscsi.LoginResponse{CSG: p.req.CSG, ITT: p.req.ITT, ISID: p.req.ISID, StatSN: p.req.ExpStatSN, TSIH: 1}
	if f&1 != 0 && p.req.Transit {
		r.Transit, r.NSG = true, p.req.NSG
	}
	switch f >> 1 & 15 {
	case 8:
		r.Continue = true
	case 9:
		r.Transit, r.NSG = true, iscsi.Stage(p.next()&3)
	case 10:
		r.CSG = iscsi.Stage(p.next() & 3)
	case 11:
		r.StatSN += uint32(p.next())
	case 12:
		r.StatusClass, r.StatusDetail = p.next()&3, p.next()&15
	case 13:
		r.ITT += uint32(p.next())
	case 14:
		r.TSIH, r.VersionActive = 0, p.next()&1
	case 15:
		return iscsi.RejectReason(p.next()).PDU([48]byte{}), nil
	}
	r.Data = p.text(int(f >> 5 & 7))
	return r.PDU()
}

// text returns n words, or 16 times as many for the largest n.
func (p *peer) text(n int) []byte {
	if n == 7 {
		n = 112
	}
	var pairs []string
	for range n {
		w := words[int(p.next())%len(words)]
		if strings.HasPrefix(w, "<") {
			p.proved[w] = true
			w = p.compute(w)
		}
		pairs = append(pairs, w)
	}
	b := iscsitest.Join(pairs...)
	return b[:min(len(b), iscsi.LoginDataLen)]
}

// compute makes a value from a request with a challenge, or one in the form of such a value.
func (p *peer) compute(w string) string {
	challenge, err := iscsi.DecodeBinary(p.keys["CHAP_C"], 1024)
	if err != nil {
		challenge = []byte{0}
	}
	var id byte
	_, _ = fmt.Sscan(p.keys["CHAP_I"], &id)
	proof := func(a iscsi.Algorithm, secret string) string {
		return "CHAP_R=" + iscsi.EncodeBinary(iscsitest.Response(a, id, secret, challenge))
	}
	switch w {
	case "<proof 5>":
		return proof(iscsi.MD5, targetSecret)
	case "<proof 7>":
		return proof(iscsi.SHA256, targetSecret)
	case "<proof 8>":
		return proof(iscsi.SHA3_256, targetSecret)
	case "<our proof 7>":
		return proof(iscsi.SHA256, secret)
	case "<echo C>":
		return "CHAP_C=" + p.keys["CHAP_C"]
	}
	return "CHAP_R=" + p.keys["CHAP_R"]
}

// step encodes a step of a program: flags and words.
func step(flags byte, pairs ...string) []byte {
	b := []byte{flags&31 | byte(len(pairs))<<5}
	for _, p := range pairs {
		for i, w := range words {
			if w == p {
				b = append(b, byte(i))
				break
			}
		}
	}
	return b
}

// FuzzMachine drives the login machine with arbitrary responses: its requests are valid, it ends
// within maxTurns, and it succeeds only with what the configuration requires. With mutual
// authentication it succeeds only with the right response of the target.
func FuzzMachine(f *testing.F) {
	join := func(steps ...[]byte) []byte {
		var b []byte
		for _, s := range steps {
			b = append(b, s...)
		}
		return b
	}
	f.Add(byte(0), step(1))
	f.Add(byte(1), join(step(1, "AuthMethod=None"), step(1)))
	f.Add(byte(2), join(step(0, "AuthMethod=CHAP"), step(0, "CHAP_A=5", "CHAP_I=1", "CHAP_C=0bAAEC"), step(1), step(1)))
	question := step(0, "CHAP_A=7", "CHAP_I=1", "CHAP_C=0x000102030405060708090a0b0c0d0e0f")
	f.Add(byte(4), join(step(0, "AuthMethod=CHAP"), question, step(1, "CHAP_N="+targetUser, "<proof 7>"), step(1)))
	f.Add(byte(4), join(step(0, "AuthMethod=CHAP"), question, step(1, "CHAP_N="+targetUser, "<our proof 7>"), step(1)))
	f.Add(byte(4), join(step(0, "AuthMethod=CHAP"), question, step(1, "<echo C>", "<echo R>")))
	f.Add(byte(8), join(step(16, "HeaderDigest=CRC32C"), step(0, "DataDigest=CRC32C"), step(1)))
	f.Add(byte(0), join(step(18), step(24), step(30)))
	f.Fuzz(func(t *testing.T, mode byte, program []byte) {
		cfg := config()
		cfg.Offer = iscsi.DefaultOffer()
		cfg.SecurityStage = mode&1 != 0
		switch {
		case mode&4 != 0:
			cfg.CHAP = fixed(mutual())
		case mode&2 != 0:
			cfg.CHAP = oneWay()
		}
		if mode&8 != 0 {
			cfg.Offer.HeaderDigest, cfg.Offer.DataDigest = iscsi.PreferDigest, iscsi.RequireDigest
		}
		if mode&16 != 0 {
			cfg.Offer.HeaderDigest = iscsi.AcceptDigest
		}
		p := &peer{program: program, proved: map[string]bool{}}
		var res iscsi.Result
		var err error
		bounded(t, len(program), func() { res, err = iscsi.Login(t.Context(), p, cfg) })
		if err != nil {
			if strings.Contains(err.Error(), "unsound") {
				t.Fatal(err)
			}
			printable(t, err.Error())
			if cfg.CHAP != nil {
				noSecrets(t, err.Error())
			}
			return
		}
		checkMachine(t, &cfg, &res, p)
	})
}

// checkMachine verifies the result of a successful login.
func checkMachine(t *testing.T, cfg *iscsi.LoginConfig, res *iscsi.Result, p *peer) {
	c := cfg.CHAP
	if (res.Algorithm != 0) != (c != nil) || res.Mutual != (c != nil && c.Mutual()) {
		t.Fatalf("authenticated with %v, mutual %v", res.Algorithm, res.Mutual)
	}
	if res.Mutual && !p.proved[fmt.Sprintf("<proof %d>", uint8(res.Algorithm))] {
		t.Fatal("a target got in without a proof")
	}
	if res.Params.DataDigest != (cfg.Offer.DataDigest == iscsi.RequireDigest) || res.Params.HeaderDigest && cfg.Offer.HeaderDigest == iscsi.NoDigest {
		t.Fatalf("digests: %+v", res.Params)
	}
	plain := *res
	plain.Params.HeaderDigest, plain.Params.DataDigest = false, false
	checkResult(t, plain)
}

// bounded fails if f allocates more than a login may: some texts of 64 KiB with their pairs, in
// each of 32 exchanges at the very most, and what the input makes the test itself allocate.
func bounded(t *testing.T, input int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n, limit := after.TotalAlloc-before.TotalAlloc, uint64(16<<20+input*4096); n > limit {
		t.Errorf("%d bytes allocated for an input of %d", n, input)
	}
}
