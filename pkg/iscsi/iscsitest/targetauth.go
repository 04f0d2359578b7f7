package iscsitest

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Auth is what a Target requires by CHAP.
type Auth struct {
	// User and Secret of the initiator.
	User, Secret string
	// TargetUser and TargetSecret of the target, for mutual CHAP.
	TargetUser, TargetSecret string
	// Algorithms are those allowed; nil means all. The first of the initiator's list that is
	// allowed is chosen.
	Algorithms []iscsi.Algorithm
	// ChallengeLen is the length of the challenge in bytes, for lengths that an initiator
	// refuses; 0 means 24.
	ChallengeLen int
	// NoLists refuses every list that is longer than one algorithm with this status; 0 does
	// not, Closes closes the connection.
	NoLists iscsi.Status
}

// Closes, as a status, closes the connection without an answer.
const Closes = 0xffff

// Response computes a CHAP response (RFC 1994 4.1), apart from the package under test.
func Response(a iscsi.Algorithm, id byte, secret string, challenge []byte) []byte {
	b := append([]byte{id}, secret...)
	b = append(b, challenge...)
	switch a {
	case iscsi.MD5:
		s := md5.Sum(b)
		return s[:]
	case iscsi.SHA1:
		s := sha1.Sum(b)
		return s[:]
	case iscsi.SHA256:
		s := sha256.Sum256(b)
		return s[:]
	}
	s := sha3.Sum256(b)
	return s[:]
}

// refusal is the status with which authentication fails.
type refusal struct{ status iscsi.Status }

// errClosed closes the connection without a status.
var errClosed = &refusal{Closes}

// authentication is the security stage of one login.
type authentication struct {
	auth      *Auth
	method    bool // AuthMethod is negotiated
	algorithm iscsi.Algorithm
	id        byte
	challenge []byte
	passed    bool
}

// answer handles the initiator's pairs; done is true if it may leave the stage.
func (e *authentication) answer(pairs []iscsi.Pair) (say []string, done bool, err *refusal) {
	v := map[string]string{}
	for _, p := range pairs {
		v[p.Key] = p.Value
	}
	if !e.method {
		return e.chooseMethod(v["AuthMethod"])
	}
	switch {
	case e.passed:
		return nil, true, nil
	case e.algorithm == 0:
		return e.chooseAlgorithm(v["CHAP_A"])
	}
	return e.verify(v)
}

func (e *authentication) chooseMethod(offer string) ([]string, bool, *refusal) {
	want := "None"
	if e.auth != nil {
		want = "CHAP"
	}
	if !slices.Contains(strings.Split(offer, ","), want) {
		return nil, false, &refusal{iscsi.StatusAuthFailure}
	}
	e.method, e.passed = true, e.auth == nil
	return []string{"AuthMethod=" + want}, e.passed, nil
}

func (e *authentication) chooseAlgorithm(list string) ([]string, bool, *refusal) {
	offer := strings.Split(list, ",")
	switch status := e.auth.NoLists; {
	case len(offer) > 1 && status == Closes:
		return nil, false, errClosed
	case len(offer) > 1 && status != 0:
		return nil, false, &refusal{status}
	}
	allowed := e.auth.Algorithms
	if allowed == nil {
		allowed = iscsi.Algorithms()
	}
	for _, item := range offer {
		for _, a := range allowed {
			if item != fmt.Sprint(uint8(a)) {
				continue
			}
			e.algorithm, e.challenge = a, make([]byte, cmp.Or(e.auth.ChallengeLen, 24))
			_, _ = rand.Read(e.challenge)
			e.id = e.challenge[0]
			return []string{"CHAP_A=" + item, fmt.Sprintf("CHAP_I=%d", e.id), "CHAP_C=" + iscsi.EncodeBinary(e.challenge)}, false, nil
		}
	}
	return nil, false, &refusal{iscsi.StatusAuthFailure}
}

// verify verifies the initiator's response, and answers its challenge.
func (e *authentication) verify(v map[string]string) ([]string, bool, *refusal) {
	got, err := iscsi.DecodeBinary(v["CHAP_R"], 64)
	if err != nil || v["CHAP_N"] != e.auth.User || !bytes.Equal(got, Response(e.algorithm, e.id, e.auth.Secret, e.challenge)) {
		return nil, false, &refusal{iscsi.StatusAuthFailure}
	}
	e.passed = true
	if v["CHAP_C"] == "" {
		return nil, true, nil
	}
	challenge, err := iscsi.DecodeBinary(v["CHAP_C"], 1024)
	var id byte
	if _, serr := fmt.Sscan(v["CHAP_I"], &id); err != nil || serr != nil || bytes.Equal(challenge, e.challenge) {
		return nil, false, &refusal{iscsi.StatusAuthFailure}
	}
	r := Response(e.algorithm, id, e.auth.TargetSecret, challenge)
	return []string{"CHAP_N=" + e.auth.TargetUser, "CHAP_R=" + iscsi.EncodeBinary(r)}, true, nil
}
