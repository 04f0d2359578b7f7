package iscsitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Scenario is one fault of a target, or a rare form of correct behaviour, and the outcome that a
// login at it must have.
type Scenario struct {
	// Name is unique. Row is the fault or the conformance group that it plays.
	Name, Row string
	Script    Script
	// Security, OneWay and Mutual choose the login: with a security stage, with CHAP, with CHAP
	// in both directions. Digest is asked for as both digests.
	Security, OneWay, Mutual bool
	Digest                   iscsi.DigestPolicy
	// Want is the outcome as Outcome writes it.
	Want string
	// Warning is part of the one warning of a login that succeeds; empty if there is none.
	Warning string
	// Timeout is how long the initiator waits; 0 is the default, which only a silent target
	// exceeds.
	Timeout time.Duration
}

// Names and secrets of the scenarios.
const (
	InitiatorName = "iqn.2024-01.com.example:client"
	TargetName    = "iqn.2024-01.com.example:disk"
	User          = "client"
	Secret        = "the secret of the client"
	TargetUser    = "disk"
	TargetSecret  = "the secret of the disk"
)

// Config is the login of the scenario.
func (s *Scenario) Config() iscsi.LoginConfig {
	cfg := iscsi.LoginConfig{
		InitiatorName: InitiatorName, TargetName: TargetName,
		ISID: [6]byte{0, 2, 0x3d, 0, 0, 1}, CmdSN: 1, SecurityStage: s.Security, Offer: iscsi.DefaultOffer(),
	}
	cfg.Offer.HeaderDigest, cfg.Offer.DataDigest = s.Digest, s.Digest
	if s.OneWay || s.Mutual {
		cfg.CHAP = &iscsi.CHAP{User: User, Secret: iscsi.NewSecret([]byte(Secret))}
	}
	if s.Mutual {
		cfg.CHAP.TargetUser, cfg.CHAP.TargetSecret = TargetUser, iscsi.NewSecret([]byte(TargetSecret))
	}
	return cfg
}

// Outcome is the class of an error of iscsi.Login in few words: "ok", "protocol" and the section of
// RFC 7143, "status" and its code, "auth" and its reason, "closed", "silent".
func Outcome(err error) string {
	var broke *iscsi.ProtocolError
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	var network *net.OpError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &broke):
		return "protocol " + broke.Section
	case errors.As(err, &status):
		return fmt.Sprintf("status %04x", status.Code())
	case errors.As(err, &auth):
		return "auth: " + auth.Reason.String()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "silent"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.As(err, &network):
		return "closed"
	}
	return "other: " + err.Error()
}

// Scenarios returns all of them.
func Scenarios() []Scenario {
	var all []Scenario
	for _, group := range [][]Scenario{
		closing(), headers(), texts(), keysOnce(), numbers(), lists(), methods(), chapQuestions(), chapProofs(), statuses(),
	} {
		all = append(all, group...)
	}
	return all
}

// Agreement is a complete answer to the default offer, each pair as key=value; override replaces
// single pairs, and one without a value leaves its key out.
func Agreement(override ...string) []string {
	pairs := []string{
		"TargetPortalGroupTag=1", "HeaderDigest=None", "DataDigest=None", "MaxConnections=1",
		"InitialR2T=No", "ImmediateData=Yes", "MaxRecvDataSegmentLength=131072",
		"MaxBurstLength=1048576", "FirstBurstLength=65536", "DefaultTime2Wait=2",
		"DefaultTime2Retain=0", "MaxOutstandingR2T=1", "DataPDUInOrder=Yes",
		"DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0",
	}
	for _, o := range override {
		pairs = replace(pairs, o)
	}
	return pairs
}

// replace puts one pair in the place of the pair with the same key.
func replace(pairs []string, pair string) []string {
	name, _, hasValue := strings.Cut(pair, "=")
	pairs = slices.DeleteFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") })
	if hasValue {
		pairs = append(pairs, pair)
	}
	return pairs
}

// Agree is a step with an Agreement.
func Agree(override ...string) Step { return Text(Agreement(override...)...) }

// header is a step that agrees, with a header that edit spoils.
func header(edit func(r *iscsi.LoginResponse)) Step {
	return Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) {
		r.Data = Join(Agreement()...)
		edit(r)
	})
}

// bare is a step that answers with a header of these bytes alone.
func bare(edit func(b *[iscsi.BHSLen]byte)) Step {
	return func(conn net.Conn, _ *iscsi.PDU) error {
		var b [iscsi.BHSLen]byte
		edit(&b)
		_, err := conn.Write(b[:])
		return err
	}
}
