package iscsi

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The text keys of CHAP (RFC 7143 12.1.3).
const (
	keyCHAPA = "CHAP_A"
	keyCHAPI = "CHAP_I"
	keyCHAPC = "CHAP_C"
	keyCHAPN = "CHAP_N"
	keyCHAPR = "CHAP_R"

	methodCHAP = "CHAP"
)

// Lengths in bytes of binary values (RFC 7143 12.1.3, 9.2.1).
const (
	maxChallengeLen = 1024
	// minChallengeLen is the shortest challenge that is answered. RFC 1994 2.3 demands that a
	// challenge is unique and cannot be predicted; neither RFC has a minimum. A target that
	// repeats a few short ones collects the responses by which it can pass for this machine,
	// and needs one table to look up the secrets of all machines.
	minChallengeLen = 8
	// goodChallengeLen is the digest of MD5, CHAP's shortest: below it there is a warning.
	goodChallengeLen = 16
)

// chapStage is the security stage with CHAP: AuthMethod, CHAP_A, the proofs. It is ready to leave
// the stage with the proofs, not before.
type chapStage struct {
	keys *negotiation
	chap *CHAP
	// step counts the requests that were said.
	step chapStep
	// seen are the CHAP keys that the target sent.
	seen map[string]bool
	// algorithm, id and theirs are the target's question to us.
	algorithm Algorithm
	id        byte
	theirs    []byte
	// ourID and ours are our question to the target.
	ourID byte
	ours  []byte
}

type chapStep uint8

const (
	chapMethod chapStep = iota + 1 // AuthMethod is said
	chapList                       // CHAP_A is said
	chapProof                      // CHAP_N and CHAP_R are said
	chapDone                       // proofs have been verified
)

func newCHAPStage(keys *negotiation, c *CHAP) *chapStage {
	return &chapStage{keys: keys, chap: c, seen: map[string]bool{}}
}

func (s *chapStage) path() (current, next Stage) { return StageSecurity, StageOperational }

// say returns the next request (RFC 7143 12.1.3): after the method the list, after the target's
// challenge the response, and our own challenge with it.
func (s *chapStage) say() ([]Pair, bool, error) {
	pairs := s.keys.pending(StageSecurity)
	switch s.step {
	case 0:
		s.step = chapMethod
		return pairs, false, nil
	case chapMethod:
		s.step = chapList
		return append(pairs, Pair{keyCHAPA, listOf(s.chap.offer())}), false, nil
	case chapList:
		s.step = chapProof
		proof, err := s.proof()
		return append(pairs, proof...), true, err
	}
	return pairs, true, nil
}

// proof is our answer, with our challenge if the target has to prove itself.
func (s *chapStage) proof() ([]Pair, error) {
	r := s.algorithm.response(s.id, s.chap.Secret, s.theirs)
	defer clear(r)
	pairs := []Pair{{keyCHAPN, s.chap.User}, {keyCHAPR, EncodeBinary(r)}}
	if !s.chap.Mutual() {
		return pairs, nil
	}
	random := s.chap.Random
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, 1+s.algorithm.size())
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("CHAP challenge: %w", err)
	}
	s.ourID, s.ours = b[0], b[1:]
	if slices.Equal(s.ours, s.theirs) {
		return nil, authErrorf(AuthReflected, "both challenges are equal")
	}
	return append(pairs, Pair{keyCHAPI, number(uint32(s.ourID))}, Pair{keyCHAPC, EncodeBinary(s.ours)}), nil
}

// hear separates the keys of CHAP from the others and judges both.
func (s *chapStage) hear(pairs []Pair) error {
	mine := map[string]string{}
	var others []Pair
	for _, p := range pairs {
		k := findKey(p.Key)
		switch {
		case k == nil || k.fn != proof:
			others = append(others, p)
		case s.seen[p.Key]:
			return authErrorf(AuthOrder, "%s a second time", p.Key)
		default:
			s.seen[p.Key], mine[p.Key] = true, p.Value
		}
	}
	if s.step == chapMethod {
		if err := s.hearMethod(others); err != nil {
			return err
		}
	}
	if err := s.keys.take(others, StageSecurity); err != nil {
		return err
	}
	switch s.step {
	case chapList:
		return s.hearChallenge(mine)
	case chapProof:
		s.step = chapDone
		return s.hearProof(mine)
	}
	return only(mine)
}

// hearMethod judges the answer to AuthMethod=CHAP.
func (s *chapStage) hearMethod(pairs []Pair) error {
	for _, p := range pairs {
		switch {
		case p.Key != keyAuthMethod || p.Value == methodCHAP:
		case p.Value == valueNone || reserved(p.Value):
			return authErrorf(AuthNone, "it answered %s=%s", keyAuthMethod, p.Value)
		}
		if p.Key == keyAuthMethod {
			return nil
		}
	}
	return authErrorf(AuthSkipped, "no answer to %s=%s", keyAuthMethod, methodCHAP)
}

// hearChallenge takes CHAP_A, CHAP_I and CHAP_C.
func (s *chapStage) hearChallenge(mine map[string]string) error {
	if v, ok := mine[keyCHAPA]; ok && reserved(v) {
		return authErrorf(AuthAlgorithm, "it answered %s=%s to %s", keyCHAPA, v, s.offered())
	}
	if len(mine) == 0 {
		return authErrorf(AuthSkipped, "no challenge in answer to %s=%s", keyCHAPA, listOf(s.chap.offer()))
	}
	if err := only(mine, keyCHAPA, keyCHAPI, keyCHAPC); err != nil {
		return err
	}
	n, err := octet(mine, keyCHAPA)
	if err != nil {
		return err
	}
	if s.algorithm = Algorithm(n); !slices.Contains(s.chap.offer(), s.algorithm) {
		return authErrorf(AuthAlgorithm, "it chose %v, we offered %s", s.algorithm, s.offered())
	}
	if s.id, err = octet(mine, keyCHAPI); err != nil {
		return err
	}
	if s.theirs, err = binaryValue(mine, keyCHAPC); err != nil {
		return err
	}
	switch n := len(s.theirs); {
	case n < minChallengeLen:
		return authErrorf(AuthChallenge, "%d bytes, at least %d are required", n, minChallengeLen)
	case n < goodChallengeLen:
		s.keys.warnf("target's CHAP challenge has %d bytes only", len(s.theirs))
	}
	return nil
}

// hearProof verifies the target's proof if there has to be one.
func (s *chapStage) hearProof(mine map[string]string) error {
	s.keys.res.Algorithm = s.algorithm
	if !s.chap.Mutual() {
		return only(mine)
	}
	if err := only(mine, keyCHAPN, keyCHAPR); err != nil {
		return err
	}
	if len(mine) == 0 {
		return authErrorf(AuthTargetSilent, "it sent neither %s nor %s", keyCHAPN, keyCHAPR)
	}
	name, ok := mine[keyCHAPN]
	if !ok {
		return authErrorf(AuthMalformed, "no %s", keyCHAPN)
	}
	r, err := binaryValue(mine, keyCHAPR)
	if err != nil {
		return err
	}
	if len(r) != s.algorithm.size() {
		return authErrorf(AuthMalformed, "%s of %d bytes, %v has %d", keyCHAPR, len(r), s.algorithm, s.algorithm.size())
	}
	if err := s.verify(r); err != nil {
		return err
	}
	if s.chap.TargetUser != "" && name != s.chap.TargetUser {
		return authErrorf(AuthTargetUser, "%s, expected %s", quote(name), quote(s.chap.TargetUser))
	}
	s.keys.res.Mutual = true
	return nil
}

// verify compares the target's response in constant time, with what our own secret would give
// first: that one comes from somebody who let us compute it (RFC 7143 9.2.1).
func (s *chapStage) verify(r []byte) error {
	own := s.algorithm.response(s.ourID, s.chap.Secret, s.ours)
	want := s.algorithm.response(s.ourID, s.chap.TargetSecret, s.ours)
	defer clear(own)
	defer clear(want)
	if subtle.ConstantTimeCompare(r, own) == 1 {
		return authErrorf(AuthReflected, "%s is the response of our own secret", keyCHAPR)
	}
	if subtle.ConstantTimeCompare(r, want) != 1 {
		return &AuthError{Reason: AuthTargetResponse}
	}
	return nil
}

// offered names the algorithms of our list.
func (s *chapStage) offered() string {
	var names []string
	for _, a := range s.chap.offer() {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}

// listOf writes the numbers of algorithms as a list of text values.
func listOf(algorithms []Algorithm) string {
	var list []string
	for _, a := range algorithms {
		list = append(list, number(uint32(a)))
	}
	return strings.Join(list, ",")
}

// only refuses the CHAP keys that have no place in a response.
func only(mine map[string]string, allowed ...string) error {
	for _, k := range []string{keyCHAPA, keyCHAPI, keyCHAPC, keyCHAPN, keyCHAPR} {
		if _, ok := mine[k]; ok && !slices.Contains(allowed, k) {
			return authErrorf(AuthOrder, "%s before its turn or unasked", k)
		}
	}
	return nil
}

// octet reads a number of one byte.
func octet(mine map[string]string, key string) (byte, error) {
	v, ok := mine[key]
	if !ok {
		return 0, authErrorf(AuthMalformed, "no %s", key)
	}
	n, err := parseNumber(v)
	if err != nil {
		return 0, authErrorf(AuthMalformed, "%s=%s: %v", key, quote(v), err)
	}
	if n > 255 {
		return 0, authErrorf(AuthMalformed, "%s=%s: want 0 to 255", key, quote(v))
	}
	return byte(n), nil
}

// binaryValue reads a challenge or a response. Its errors do not hold it.
func binaryValue(mine map[string]string, key string) ([]byte, error) {
	v, ok := mine[key]
	if !ok {
		return nil, authErrorf(AuthMalformed, "no %s", key)
	}
	b, err := DecodeBinary(v, maxChallengeLen)
	if err != nil {
		return nil, authErrorf(AuthMalformed, "%s: %v", key, err)
	}
	return b, nil
}

// misnumbered reports whether the end after our proof may come of a target that means SHA1 by 7, as
// tgtd does from the days before IANA gave that number to SHA-256: it calls a proof of the wrong
// length an initiator error, or closes.
func (s *chapStage) misnumbered(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return s.algorithm == SHA256 && status.Code() == StatusInitiatorError
	}
	return s.algorithm == SHA256 && errors.Is(err, io.EOF)
}
