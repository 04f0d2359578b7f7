package session

import (
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// maxVariants bounds the connections of one login: the first, and one for each part of its
// configuration that a target may reject.
const maxVariants = 4

// loginWithFallbacks calls attempt, which makes one connection. Where the target rejects something
// that can be left out, it is called again without that. The last configuration is returned.
//
// The login begins with the security stage also without CHAP, as that of FreeBSD
// (usr.sbin/iscsid/login.c: login) and of libiscsi does. It costs an exchange. Without it tgtd
// 1.0.85 does not reinstate (RFC 7143 6.3.5; usr/iscsi/iscsid.c: login_security_done): each login
// would leave a session behind.
func (s *Session) loginWithFallbacks(attempt func(iscsi.LoginConfig) error) (iscsi.LoginConfig, error) {
	cfg := iscsi.LoginConfig{CHAP: s.chap, SecurityStage: true, Offer: s.offer}
	last := attempt(cfg)
	err := last
	for range maxVariants - 1 {
		next, ok := fallback(cfg, last)
		if !ok {
			break
		}
		cfg = next
		if last = attempt(cfg); last == nil {
			return cfg, nil
		}
		err = moreSpecific(err, last)
	}
	return cfg, err
}

// fallback returns a configuration that may succeed after an error with cfg.
func fallback(cfg iscsi.LoginConfig, err error) (iscsi.LoginConfig, bool) {
	var stage *iscsi.StageError
	var list *iscsi.AlgorithmsError
	var digest *iscsi.DigestError
	switch {
	case errors.As(err, &stage):
		cfg.SecurityStage = false
		return cfg, true
	case errors.As(err, &list) && (cfg.CHAP.Algorithms == nil || slices.Contains(cfg.CHAP.Algorithms, iscsi.MD5)):
		old := *cfg.CHAP
		old.Algorithms = []iscsi.Algorithm{iscsi.MD5}
		cfg.CHAP = &old
		return cfg, true
	case errors.As(err, &digest) && (digest.Header.List() || digest.Data.List()):
		cfg.Offer = withoutLists(cfg.Offer)
		return cfg, true
	}
	return cfg, false
}

// withoutLists replaces each list of digests with None.
func withoutLists(o iscsi.Offer) iscsi.Offer {
	for _, d := range []*iscsi.DigestPolicy{&o.HeaderDigest, &o.DataDigest} {
		if d.List() {
			*d = iscsi.NoDigest
		}
	}
	return o
}

// recordFallback stores with which configuration a login succeeded, and returns warnings of extra
// logins. A target that does not support lists of digests is offered none again, so that a
// reconnect needs one connection.
func (s *Session) recordFallback(cfg iscsi.LoginConfig) []string {
	var told []string
	if cfg.CHAP != s.chap {
		told = append(told, "target rejected the CHAP algorithm list; fell back to MD5 (set iscsi_chap=md5 to avoid the extra login)")
	}
	if cfg.Offer != s.offer {
		var words []string // of what changed: the other digest may be required
		if cfg.Offer.HeaderDigest != s.offer.HeaderDigest {
			words = append(words, "iscsi_header_digest=none")
		}
		if cfg.Offer.DataDigest != s.offer.DataDigest {
			words = append(words, "iscsi_data_digest=none")
		}
		told = append(told, "target rejected the digest list; fell back to None (set "+strings.Join(words, " and ")+" to avoid the extra login)")
		s.mu.Lock()
		s.offer = cfg.Offer
		s.mu.Unlock()
	}
	return told
}

// complete sets the fields that do not depend on the fallback.
func (s *Session) complete(cfg *iscsi.LoginConfig, isid [6]byte) {
	cfg.InitiatorName, cfg.TargetName = s.Initiator, s.Target
	cfg.ISID, cfg.CmdSN = isid, 1
}

// moreSpecific chooses between the errors of a login and of its fallback. The first is preferred,
// unless the second is more specific or a redirect; and a wrong secret is only detected with a hash
// that both sides support.
func moreSpecific(first, second error) error {
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
	return iscsi.MoreSpecific(first, second)
}
