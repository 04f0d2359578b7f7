package iscsitest

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Stay is a step that sends these pairs and does not leave the stage.
func Stay(pairs ...string) Step { return Last(string(Join(pairs...))) }

// Part is a step with a part of a text that continues in the next response.
func Part(text string) Step {
	return Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) {
		r.Transit, r.NSG, r.Continue, r.Data = false, 0, true, []byte(text)
	})
}

// Last is a step with text as it stands that does not leave the stage.
func Last(text string) Step {
	return Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) {
		r.Transit, r.NSG, r.Data = false, 0, []byte(text)
	})
}

// Reset is a step that closes the connection with a TCP reset, or plainly if it is not TCP.
func Reset() Step {
	return func(conn net.Conn, _ *iscsi.PDU) error {
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := tcp.SetLinger(0); err != nil {
				return err
			}
		}
		return ErrClose
	}
}

// Slow is a step that sends the PDUs of another step byte by byte, each after a pause.
func Slow(pause time.Duration, s Step) Step {
	return func(conn net.Conn, p *iscsi.PDU) error { return s(slow{conn, pause}, p) }
}

type slow struct {
	net.Conn
	pause time.Duration
}

func (s slow) Write(b []byte) (int, error) {
	for i := range b {
		time.Sleep(s.pause)
		if _, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// Keys returns the text of a Login Request by key; nil if it has none.
func Keys(p *iscsi.PDU) map[string]string {
	keys := map[string]string{}
	for item := range strings.SplitSeq(string(p.Data), "\x00") {
		if k, v, ok := strings.Cut(item, "="); ok {
			keys[k] = v
		}
	}
	return keys
}

// Challenge is a step that answers CHAP_A.
func Challenge(a iscsi.Algorithm, id byte, challenge []byte) Step {
	return Stay(fmt.Sprintf("CHAP_A=%d", uint8(a)), fmt.Sprintf("CHAP_I=%d", id), "CHAP_C="+iscsi.EncodeBinary(challenge))
}

// Prove is a step that answers the initiator's challenge, leaves the stage and adds pairs.
func Prove(a iscsi.Algorithm, user, secret string, pairs ...string) Step {
	return func(conn net.Conn, p *iscsi.PDU) error {
		keys := Keys(p)
		challenge, err := iscsi.DecodeBinary(keys["CHAP_C"], 1024)
		if err != nil {
			return fmt.Errorf("CHAP_C: %w", err)
		}
		var id byte
		if _, err := fmt.Sscan(keys["CHAP_I"], &id); err != nil {
			return fmt.Errorf("CHAP_I: %w", err)
		}
		r := Response(a, id, secret, challenge)
		return Text(append([]string{"CHAP_N=" + user, "CHAP_R=" + iscsi.EncodeBinary(r)}, pairs...)...)(conn, p)
	}
}
