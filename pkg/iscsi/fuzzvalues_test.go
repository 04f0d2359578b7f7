package iscsi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// FuzzCHAP: with any text from a target in the security stage, mutual authentication succeeds only
// with the right response, and no secret is shown.
func FuzzCHAP(f *testing.F) {
	f.Add("CHAP_A=7\x00CHAP_I=1\x00CHAP_C=0x000102030405060708090a0b0c0d0e0f\x00", "CHAP_N=disk\x00CHAP_R=0x00\x00", false)
	f.Add("CHAP_A=5\x00CHAP_I=0xff\x00CHAP_C=0bAAECAwQFBgcICQoLDA0ODw==\x00", "", true)
	f.Add("CHAP_I=1\x00CHAP_A=8,7\x00", "CHAP_R=", false)
	f.Add("CHAP_A=Reject\x00", "", true)
	f.Add("CHAP_A=6\x00CHAP_I=256\x00CHAP_C=0x\x00X-a=1\x00", "CHAP_N=disk\x00", true)
	f.Fuzz(func(t *testing.T, question, proof string, prove bool) {
		if len(question) > iscsi.LoginDataLen || len(proof) > iscsi.LoginDataLen {
			return
		}
		answer := iscsitest.Login(func(_ *request, r *response) { r.Data = []byte(proof) })
		if prove {
			answer = func(conn net.Conn, p *iscsi.PDU) error { return proveAny(conn, p, question) }
		}
		conn, wait := iscsitest.Script{method, last(question), answer, agree, iscsitest.Close()}.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		res, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), withCHAP(fixed(mutual())))
		_, _ = wait()
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err == nil && (!prove || !res.Mutual) {
			t.Fatalf("%q and %q were enough", question, proof)
		}
		if err != nil {
			printable(t, err.Error())
			for _, hidden := range []string{secret, targetSecret} {
				if strings.Contains(err.Error(), hidden) {
					t.Fatalf("%v shows a secret", err)
				}
			}
		}
	})
}

// fixed makes a login deterministic, which a fuzzer needs.
func fixed(c *iscsi.CHAP) *iscsi.CHAP {
	c.Random = strings.NewReader("the same challenge in every run of it")
	return c
}

// proveAny answers with the right response for the algorithm of a challenge.
func proveAny(conn net.Conn, p *iscsi.PDU, question string) error {
	keys := iscsitest.Keys(&iscsi.PDU{Data: []byte(question)})
	var a iscsi.Algorithm
	for _, known := range iscsi.Algorithms() {
		if keys["CHAP_A"] == fmt.Sprint(uint8(known)) {
			a = known
		}
	}
	return iscsitest.Prove(a, targetUser, targetSecret)(conn, p)
}

// FuzzLUN: what is parsed prints as an equal LUN, in SAM-5's form and in Linux's.
func FuzzLUN(f *testing.F) {
	for _, s := range []string{"0", "255", "256", "0x3fff", "16640", "65535", "0x4100000000000000", "4752-3A4F-6b7e-2F99", "4186-9", "1-2-3-4-5", "-", "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (iscsi.LUN, error){iscsi.ParseLUN, iscsi.ParseHexLUN} {
			l, err := parse(s)
			if err != nil {
				printable(t, err.Error())
				continue
			}
			if again, err := iscsi.ParseLUN(l.String()); err != nil || again != l {
				t.Fatalf("%q printed as %s gave %v, %v", s, l, again, err)
			}
			if iscsi.KernelLUN(l.Kernel()) != l {
				t.Fatalf("%q: %016x is %x to the kernel", s, uint64(l), l.Kernel())
			}
		}
	})
}

// FuzzSecret: errors do not contain the secret, and a secret holds what was written.
func FuzzSecret(f *testing.F) {
	for _, s := range []string{"plain", "0x00ff", "0bAAEC", "0x", "0b=", "", strings.Repeat("a", 256), "[redacted]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := iscsi.ParseSecret(s)
		if err != nil {
			if len(s) > 8 && strings.Contains(err.Error(), s) {
				t.Fatalf("%v shows it", err)
			}
			return
		}
		if got.Empty() || fmt.Sprint(got) != "[redacted]" {
			t.Fatalf("%q: empty, or seen", s)
		}
		again, err := iscsi.ParseSecret(iscsi.EncodeBinary(got.Bytes()))
		if err != nil || !again.Equal(got) {
			t.Fatalf("%q in hex is another: %v", s, err)
		}
		got.Wipe()
		if !got.Empty() {
			t.Fatal("not wiped")
		}
	})
}

// FuzzDiscover: any response to SendTargets gives targets with addresses, or a printable error.
func FuzzDiscover(f *testing.F) {
	f.Add([]byte("TargetName=iqn.a\x00TargetAddress=192.0.2.7:3260,1\x00TargetName=iqn.b\x00"))
	f.Add([]byte("TargetAddress=192.0.2.7\x00"))
	f.Add([]byte("TargetName=iqn.a\x00TargetAddress=[::1]:0\x00TargetName=iqn.a\x00SendTargets=Reject\x00"))
	login, err := (&iscsi.LoginResponse{Transit: true, CSG: 1, NSG: 3}).PDU()
	if err != nil {
		f.Fatal(err)
	}
	opening, err := login.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		said := bytes.Clone(opening)
		for tag := uint32(1); ; tag++ {
			n := min(len(text), iscsi.LoginDataLen)
			r := &iscsi.TextResponse{ITT: 1, TTT: tag, Continue: true, Data: text[:n]}
			if text = text[n:]; len(text) == 0 {
				r.Final, r.Continue, r.TTT = true, false, noTag
			}
			p, err := r.PDU()
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if said = append(said, b...); r.Final {
				break
			}
		}
		targets, err := iscsi.Discover(t.Context(), iscsi.NewTCPPipe(iscsitest.Replay(said)), discovery())
		if err != nil {
			var pe *iscsi.ProtocolError
			if !errors.As(err, &pe) {
				t.Fatalf("not a protocol error: %v", err)
			}
			printable(t, err.Error())
			return
		}
		for _, tg := range targets {
			if tg.Name == "" || len(tg.Name) > 223 || len(tg.Addresses) == 0 {
				t.Fatalf("%+v", tg)
			}
			for _, w := range tg.Warnings {
				printable(t, w)
			}
		}
	})
}
