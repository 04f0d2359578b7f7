package iscsi

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// maxRounds bounds the exchanges of one stage: no target needs that many, and two sides may wait
// for each other without end.
const maxRounds = 16

// stage is one stage of the login phase. A negotiation by the table of keys alone is a keyStage; an
// authentication with steps is another implementation.
type stage interface {
	// path returns the stage and the one that follows it.
	path() (current, next Stage)
	// request returns the pairs of the next request, and whether to leave the stage with it (T
	// bit).
	request() (pairs []Pair, ready bool, err error)
	// handle processes the pairs of the response.
	handle(pairs []Pair) error
}

// keyStage offers all its keys in the first request, and leaves the stage with it.
type keyStage struct {
	current, next Stage
	keys          *negotiation
}

func (s *keyStage) path() (current, next Stage) { return s.current, s.next }
func (s *keyStage) request() ([]Pair, bool, error) {
	return s.keys.pending(s.current), true, nil
}
func (s *keyStage) handle(pairs []Pair) error { return s.keys.accept(pairs, s.current) }

// Login logs in to a target as the leading connection of a normal session and returns the
// parameters of the full feature phase (RFC 7143 6.3). It ends with ctx; without a deadline, a
// silent target blocks it without end. After an error the connection must be closed.
//
// Errors: a *StatusError if the target refused; a *ProtocolError if it violated the RFC; an
// *AuthError if it could not be authenticated or did not request authentication; a *StageError, an
// *AlgorithmsError or a *DigestError around the cause if another login without the security stage,
// with MD5 alone, or without a list of digests, may succeed; else the pipe's error, wrapped. None
// contains the names of target and portal: the caller adds them.
func Login(ctx context.Context, p Pipe, cfg LoginConfig) (Result, error) {
	cfg.discovery = false
	return login(ctx, p, cfg)
}

// login is Login for both types of session.
func login(ctx context.Context, p Pipe, cfg LoginConfig) (Result, error) {
	if cfg.Offer == (Offer{}) {
		cfg.Offer = DefaultOffer()
	}
	if err := cfg.check(); err != nil {
		return Result{}, fmt.Errorf("login: %w", err)
	}
	res := new(Result)
	if cfg.CHAP != nil {
		res.Warnings = cfg.CHAP.Warnings()
	}
	keys, err := newNegotiation(&cfg, res)
	if err != nil {
		return Result{}, fmt.Errorf("login: offer: %w", err)
	}
	d := &driver{pipe: p, cfg: &cfg, res: res}
	if err := d.login(ctx, keys); err != nil {
		return Result{}, err
	}
	return *res, nil
}

// login runs the stages.
func (d *driver) login(ctx context.Context, keys *negotiation) error {
	if err := d.security(ctx, keys); err != nil {
		return err
	}
	if err := d.run(ctx, &keyStage{StageOperational, StageFullFeature, keys}); err != nil {
		return d.cfg.Offer.wrapDigestError(err)
	}
	if err := keys.finish(); err != nil {
		return err
	}
	d.conclude()
	return nil
}

// security runs the security stage if one is required.
func (d *driver) security(ctx context.Context, keys *negotiation) error {
	if d.cfg.CHAP == nil {
		if !d.cfg.SecurityStage {
			return nil
		}
		err := d.run(ctx, &keyStage{StageSecurity, StageOperational, keys})
		if d.accepted == 0 && rejectsStage(err) {
			return &StageError{Err: err}
		}
		return err
	}
	s := newCHAPStage(keys, d.cfg.CHAP)
	err := d.run(ctx, s)
	if err != nil && d.cfg.CHAP.hasStrongerThanMD5() && (s.step == chapList && rejectsList(err) || s.step == chapProof && s.maybeSHA1(err)) {
		return &AlgorithmsError{Err: err}
	}
	return err
}

// run drives one stage until the target agrees to leave it.
func (d *driver) run(ctx context.Context, s stage) error {
	current, next := s.path()
	for range maxRounds {
		pairs, ready, err := s.request()
		if err != nil {
			return err
		}
		text, left, err := d.exchange(ctx, current, next, AppendText(nil, pairs), ready)
		if err != nil {
			return err
		}
		if pairs, err = ParseText(text); err != nil {
			return err
		}
		if err = s.handle(pairs); err != nil {
			return err
		}
		if left {
			return nil
		}
	}
	return protocolErrorf("6.3", "%v not done after %d exchanges", current, maxRounds)
}

// conclude warns about the session's values in the last response.
func (d *driver) conclude() {
	r, cfg := d.res, d.cfg
	if r.TSIH == 0 {
		d.warnf("target gave no session handle (TSIH 0)")
	}
	if cfg.TPGT != nil && r.HasTPGT && *cfg.TPGT != r.TPGT {
		d.warnf("target portal group tag is %d, expected %d", r.TPGT, *cfg.TPGT)
	}
}

// rejectsStage reports whether the error of the first request in the security stage may mean that
// the target does not support that stage.
func rejectsStage(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.unspecific()
}

// rejectsList reports whether the answer to the list of algorithms may mean that the target does
// not support lists.
func rejectsList(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		switch s.Code() {
		case StatusInitiatorError, StatusAuthFailure, StatusMissingParameter, StatusInvalidDuringLogin, StatusTargetError:
			return true
		}
		return false
	}
	var a *AuthError
	if errors.As(err, &a) {
		return a.Reason == AuthAlgorithm
	}
	return errors.Is(err, io.EOF)
}
