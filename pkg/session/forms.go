package session

import (
	"errors"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// inForms logs in by attempt, which makes one connection. Where the target turns the
// login down in a way that another form of it may cure, it is tried once more in
// that. md5 tells that CHAP's list of hashes had to be left out.
//
// The login begins with the security stage also without CHAP, as that of FreeBSD
// (usr.sbin/iscsid/login.c: login) and of libiscsi does. It costs an exchange.
// Without it tgtd 1.0.85 does not reinstate (RFC 7143 6.3.5; usr/iscsi/iscsid.c:
// login_security_done): each login would leave a session behind.
func (s *Session) inForms(attempt func(iscsi.LoginConfig) error) (md5 bool, err error) {
	err = attempt(iscsi.LoginConfig{CHAP: s.chap, SecurityStage: true})
	second, ok := s.otherForm(err)
	if !ok {
		return false, err
	}
	if err2 := attempt(second); err2 != nil {
		return false, telling(err, err2)
	}
	return second.CHAP != nil, nil
}

// otherForm returns the form that may succeed after an error of the first one.
func (s *Session) otherForm(err error) (cfg iscsi.LoginConfig, ok bool) {
	var stage *iscsi.StageError
	var list *iscsi.AlgorithmsError
	switch {
	case errors.As(err, &stage):
		return iscsi.LoginConfig{}, true
	case errors.As(err, &list) && (s.chap.Algorithms == nil || slices.Contains(s.chap.Algorithms, iscsi.MD5)):
		old := *s.chap
		old.Algorithms = []iscsi.Algorithm{iscsi.MD5}
		return iscsi.LoginConfig{CHAP: &old}, true
	}
	return iscsi.LoginConfig{}, false
}

// complete fills in what is the same in all forms.
func (s *Session) complete(cfg *iscsi.LoginConfig, isid [6]byte) {
	cfg.InitiatorName, cfg.TargetName = s.Initiator, s.Target
	cfg.ISID, cfg.CmdSN, cfg.Offer = isid, 1, s.offer
}

// telling chooses between the errors of a login and of its other form. What the
// target said first is the better message, unless it said less, or it moved; and
// a wrong secret comes to light only with a hash that both sides know.
func telling(first, second error) error {
	var status *iscsi.StatusError
	if errors.As(second, &status) {
		if _, _, moved := status.Redirect(); moved {
			return second
		}
	}
	var list *iscsi.AlgorithmsError
	var auth *iscsi.AuthError
	if errors.As(first, &list) && (status != nil || errors.As(second, &auth)) {
		return second
	}
	return iscsi.Telling(first, second)
}
