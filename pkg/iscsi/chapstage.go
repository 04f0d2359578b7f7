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
	// repeats a few short ones can collect responses with which to impersonate this machine,
	// and can look up the secrets of all machines in one table.
	minChallengeLen = 8
	// goodChallengeLen is the digest of MD5, CHAP's shortest: below it there is a warning.
	goodChallengeLen = 16
)

// chapStage is the security stage with CHAP: AuthMethod, CHAP_A, the responses. It leaves the stage
// with the responses, not before.
type chapStage struct {
	keys *negotiation
	chap *CHAP
	// step is the last request that was sent.
	step chapStep
	// seen are the CHAP keys that the target sent.
	seen map[string]bool
	// algorithm, id and targetChallenge are the target's challenge.
	algorithm       Algorithm
	id              byte
	targetChallenge []byte
	// ourID and ourChallenge are the challenge to the target.
	ourID        byte
	ourChallenge []byte
}

type chapStep uint8

const (
	chapMethod chapStep = iota + 1 // AuthMethod was sent
	chapList                       // CHAP_A was sent
	chapProof                      // CHAP_N and CHAP_R were sent
	chapDone                       // responses were verified
)

func newCHAPStage(keys *negotiation, c *CHAP) *chapStage {
	return &chapStage{keys: keys, chap: c, seen: map[string]bool{}}
}

func (s *chapStage) path() (current, next Stage) { return StageSecurity, StageOperational }

// request returns the next request (RFC 7143 12.1.3): after the method the list, after the target's
// challenge the response, and the challenge to the target with it.
func (s *chapStage) request() ([]Pair, bool, error) {
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

// proof returns the response, with a challenge if the target has to authenticate itself.
func (s *chapStage) proof() ([]Pair, error) {
	r := s.algorithm.response(s.id, s.chap.Secret, s.targetChallenge)
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
	s.ourID, s.ourChallenge = b[0], b[1:]
	if slices.Equal(s.ourChallenge, s.targetChallenge) {
		return nil, authErrorf(AuthReflected, "both challenges are equal")
	}
	return append(pairs, Pair{keyCHAPI, number(uint32(s.ourID))}, Pair{keyCHAPC, EncodeBinary(s.ourChallenge)}), nil
}

// handle separates the keys of CHAP from the others and processes both.
func (s *chapStage) handle(pairs []Pair) error {
	chapKeys := map[string]string{}
	var others []Pair
	for _, p := range pairs {
		k := findKey(p.Key)
		switch {
		case k == nil || k.fn != proof:
			others = append(others, p)
		case s.seen[p.Key]:
			return authErrorf(AuthOrder, "%s a second time", p.Key)
		default:
			s.seen[p.Key], chapKeys[p.Key] = true, p.Value
		}
	}
	if s.step == chapMethod {
		if err := s.handleMethod(others); err != nil {
			return err
		}
	}
	if err := s.keys.accept(others, StageSecurity); err != nil {
		return err
	}
	switch s.step {
	case chapList:
		return s.handleChallenge(chapKeys)
	case chapProof:
		s.step = chapDone
		return s.handleProof(chapKeys)
	}
	return onlyKeys(chapKeys)
}

// handleMethod checks the answer to AuthMethod=CHAP.
func (s *chapStage) handleMethod(pairs []Pair) error {
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

// handleChallenge processes CHAP_A, CHAP_I and CHAP_C.
func (s *chapStage) handleChallenge(chapKeys map[string]string) error {
	if v, ok := chapKeys[keyCHAPA]; ok && reserved(v) {
		return authErrorf(AuthAlgorithm, "it answered %s=%s to %s", keyCHAPA, v, s.offered())
	}
	if len(chapKeys) == 0 {
		return authErrorf(AuthSkipped, "no challenge in answer to %s=%s", keyCHAPA, listOf(s.chap.offer()))
	}
	if err := onlyKeys(chapKeys, keyCHAPA, keyCHAPI, keyCHAPC); err != nil {
		return err
	}
	n, err := octet(chapKeys, keyCHAPA)
	if err != nil {
		return err
	}
	if s.algorithm = Algorithm(n); !slices.Contains(s.chap.offer(), s.algorithm) {
		return authErrorf(AuthAlgorithm, "it chose %v, we offered %s", s.algorithm, s.offered())
	}
	if s.id, err = octet(chapKeys, keyCHAPI); err != nil {
		return err
	}
	if s.targetChallenge, err = binaryValue(chapKeys, keyCHAPC); err != nil {
		return err
	}
	switch n := len(s.targetChallenge); {
	case n < minChallengeLen:
		return authErrorf(AuthChallenge, "%d bytes, at least %d are required", n, minChallengeLen)
	case n < goodChallengeLen:
		s.keys.warnf("target's CHAP challenge has %d bytes only", len(s.targetChallenge))
	}
	return nil
}

// handleProof verifies the target's response, if one is required.
func (s *chapStage) handleProof(chapKeys map[string]string) error {
	s.keys.res.Algorithm = s.algorithm
	if !s.chap.Mutual() {
		return onlyKeys(chapKeys)
	}
	if err := onlyKeys(chapKeys, keyCHAPN, keyCHAPR); err != nil {
		return err
	}
	if len(chapKeys) == 0 {
		return authErrorf(AuthTargetSilent, "it sent neither %s nor %s", keyCHAPN, keyCHAPR)
	}
	name, ok := chapKeys[keyCHAPN]
	if !ok {
		return authErrorf(AuthMalformed, "no %s", keyCHAPN)
	}
	r, err := binaryValue(chapKeys, keyCHAPR)
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

// verify compares the target's response in constant time, first with the response of the
// initiator's own secret, which a reflection attack would return (RFC 7143 9.2.1).
func (s *chapStage) verify(r []byte) error {
	own := s.algorithm.response(s.ourID, s.chap.Secret, s.ourChallenge)
	want := s.algorithm.response(s.ourID, s.chap.TargetSecret, s.ourChallenge)
	defer clear(own)
	defer clear(want)
	if subtle.ConstantTimeCompare(r, own) == 1 {
		return authErrorf(AuthReflected, "%s is the response of the initiator's own secret", keyCHAPR)
	}
	if subtle.ConstantTimeCompare(r, want) != 1 {
		return &AuthError{Reason: AuthTargetResponse}
	}
	return nil
}

// offered returns the names of the algorithms that are offered.
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

// onlyKeys rejects the CHAP keys that are not allowed in a response.
func onlyKeys(chapKeys map[string]string, allowed ...string) error {
	for _, k := range []string{keyCHAPA, keyCHAPI, keyCHAPC, keyCHAPN, keyCHAPR} {
		if _, ok := chapKeys[k]; ok && !slices.Contains(allowed, k) {
			return authErrorf(AuthOrder, "%s before its turn or unasked", k)
		}
	}
	return nil
}

// octet reads a number of one byte.
func octet(chapKeys map[string]string, key string) (byte, error) {
	v, ok := chapKeys[key]
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

// binaryValue reads a challenge or a response. Its errors do not contain it.
func binaryValue(chapKeys map[string]string, key string) ([]byte, error) {
	v, ok := chapKeys[key]
	if !ok {
		return nil, authErrorf(AuthMalformed, "no %s", key)
	}
	b, err := DecodeBinary(v, maxChallengeLen)
	if err != nil {
		return nil, authErrorf(AuthMalformed, "%s: %v", key, err)
	}
	return b, nil
}

// maybeSHA1 reports whether the end of the login after the response may come from a target that
// uses number 7 for SHA1, as tgtd has done since before IANA assigned it to SHA-256: a response of
// another length is an initiator error there, or closes the connection.
func (s *chapStage) maybeSHA1(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return s.algorithm == SHA256 && status.Code() == StatusInitiatorError
	}
	return s.algorithm == SHA256 && errors.Is(err, io.EOF)
}
