package bootspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// CHAP is the authentication between this machine and one target. The zero value means no
// authentication.
type CHAP struct {
	User, TargetUser     Value[string]
	Secret, TargetSecret Value[iscsi.Secret]
}

// Given reports whether any part of it is given.
func (c CHAP) Given() bool {
	return c.User.Given() || c.Secret.Given() || c.TargetUser.Given() || c.TargetSecret.Given()
}

// Config returns the configuration of a login, nil without CHAP.
func (c CHAP) Config(algorithms []iscsi.Algorithm) *iscsi.CHAP {
	if !c.Given() {
		return nil
	}
	return &iscsi.CHAP{
		User: c.User.V, Secret: c.Secret.V,
		TargetUser: c.TargetUser.V, TargetSecret: c.TargetSecret.V,
		Algorithms: algorithms,
	}
}

// check returns an error if a part is missing or not valid; suffix follows the names of the
// target's parameters.
func (c CHAP) check(target, suffix string) error {
	switch {
	case !c.Given():
		return nil
	case !c.User.Given():
		return &MissingError{"iscsi_u" + suffix + "=NAME", "the CHAP user of this machine"}
	case !c.Secret.Given():
		return &MissingError{"iscsi_w" + suffix + "=SECRET", "the CHAP secret of this machine"}
	case c.TargetUser.Given() && !c.TargetSecret.Given():
		return &MissingError{"iscsi_W" + suffix + "=SECRET", "the CHAP secret of the target"}
	}
	if err := c.Config(nil).Check(); err != nil {
		return fmt.Errorf("target %s: %w", showName(target), err)
	}
	return nil
}

// Login is what all logins have in common.
type Login struct {
	Algorithms               Value[string] // of CHAP, as CHAPAlgorithms reads them; not given: all
	StrictCHAP               Value[bool]   // secrets below iscsi.MinSecretLen are refused
	HeaderDigest, DataDigest Value[iscsi.DigestPolicy]
	Timers                   Timers
}

// CHAPAlgorithms returns the algorithms that CHAP may use, the strongest first; nil means all.
func (l Login) CHAPAlgorithms() []iscsi.Algorithm {
	list, _ := parseAlgorithms(l.Algorithms.V) // it was read before
	return list
}

// parseAlgorithms reads a list with commas and puts the strongest first.
func parseAlgorithms(s string) ([]iscsi.Algorithm, error) {
	if s == "" {
		return nil, nil
	}
	var named, out []iscsi.Algorithm
	for one := range strings.SplitSeq(s, ",") {
		a, err := iscsi.ParseAlgorithm(one)
		if err != nil {
			return nil, err
		}
		named = append(named, a)
	}
	for _, a := range iscsi.Algorithms() {
		if slices.Contains(named, a) {
			out = append(out, a)
		}
	}
	return out, nil
}

func (ps *parser) user(p cmdline.Param) error { return ps.chapName(&ps.target().CHAP.User, p) }

func (ps *parser) targetUser(p cmdline.Param) error {
	return ps.chapName(&ps.target().CHAP.TargetUser, p)
}

func (ps *parser) chapName(dst *Value[string], p cmdline.Param) error {
	if p.Value == "" || len(p.Value) > maxCHAPName {
		return bad(p, "this is not a user", "a name of 1 to 255 bytes")
	}
	user := p.Value
	p.Value = showUser(user)
	set(ps, dst, user, p)
	return nil
}

// showUser returns the part of a user's name that may be shown: nothing after a colon, unless it is
// an iSCSI name, because a secret may have been put there.
func showUser(s string) string {
	if i := strings.IndexByte(s, ':'); i >= 0 && !hasNameType(s) {
		s = s[:i+1] + redacted
	}
	return showName(s)
}

// maxCHAPName is the longest value of a text key in bytes (RFC 7143 section 6.1).
const maxCHAPName = 255

func (ps *parser) secret(p cmdline.Param) error { return ps.chapSecret(&ps.target().CHAP.Secret, p) }

func (ps *parser) targetSecret(p cmdline.Param) error {
	return ps.chapSecret(&ps.target().CHAP.TargetSecret, p)
}

// chapSecret reads a secret. No message repeats it.
func (ps *parser) chapSecret(dst *Value[iscsi.Secret], p cmdline.Param) error {
	s, err := iscsi.ParseSecret(p.Value)
	p.Value = redacted
	if err != nil {
		return bad(p, "this is not a secret", "1 to 255 bytes as text, 0x and hex, or 0b and base64")
	}
	if dst.Given() && !dst.V.Equal(s) && !inFile(dst.From) {
		ps.twice(dst.From, p)
	}
	*dst = Value[iscsi.Secret]{s, source(p)}
	ps.warnReadable(p)
	return nil
}

// warnReadable warns, once, of a secret on the kernel command line, which all users can read. The
// value of p is not shown.
func (ps *parser) warnReadable(p cmdline.Param) {
	if !ps.readableWarned && p.Origin == "" {
		ps.readableWarned = true
		ps.warnf("all users of this machine can read the secret in %s in /proc/cmdline: put it into %s in the image, mode 0600", source(p), CredentialsPath)
	}
}

func (ps *parser) algorithms(p cmdline.Param) error {
	if list, err := parseAlgorithms(p.Value); err != nil || len(list) == 0 {
		return bad(p, "this is not a list of CHAP algorithms", "some of md5, sha1, sha256 and sha3-256 with commas")
	}
	set(ps, &ps.plan.Login.Algorithms, p.Value, p)
	return nil
}

func (ps *parser) headerDigest(p cmdline.Param) error {
	return ps.digest(&ps.plan.Login.HeaderDigest, p)
}

func (ps *parser) dataDigest(p cmdline.Param) error {
	return ps.digest(&ps.plan.Login.DataDigest, p)
}

// digests are the words of iscsi_header_digest= and, in lower case, those of open-iscsi's
// iscsid.conf.
var digests = map[string]iscsi.DigestPolicy{
	"none": iscsi.NoDigest, "accept": iscsi.AcceptDigest, "prefer": iscsi.PreferDigest, "require": iscsi.RequireDigest,
	"none,crc32c": iscsi.AcceptDigest, "crc32c,none": iscsi.PreferDigest, "crc32c": iscsi.RequireDigest,
}

func (ps *parser) digest(dst *Value[iscsi.DigestPolicy], p cmdline.Param) error {
	policy, ok := digests[strings.ToLower(p.Value)]
	if !ok {
		return bad(p, "this is not a digest policy", "none, accept, prefer or require")
	}
	set(ps, dst, policy, p)
	return nil
}

// Forget overwrites the secrets of the plan and of every Spec made of it.
func (p Plan) Forget() {
	for _, c := range p.Credentials {
		c.Secret.Wipe()
		c.TargetSecret.Wipe()
	}
	for _, t := range p.Targets {
		t.CHAP.Secret.V.Wipe()
		t.CHAP.TargetSecret.V.Wipe()
	}
}

// authenticate sets the CHAP of each target that has none from the command line to that of the
// credentials file.
func (p Plan) authenticate(targets []Target) ([]string, error) {
	var warnings []string
	var errs []error
	for i := range targets {
		t := &targets[i]
		for _, c := range p.Credentials {
			switch {
			case !strings.EqualFold(c.Target, t.Name.V):
			case t.CHAP.Given():
				warnings = append(warnings, fmt.Sprintf("target %s has CHAP in %s and in %s: the command line is used", showName(t.Name.V), CredentialsPath, t.CHAP.from()))
			default:
				t.CHAP = c.chap()
			}
		}
		if chap := t.CHAP.Config(nil); chap != nil {
			if err := p.Login.check(chap); err != nil {
				errs = append(errs, fmt.Errorf("target %s: %w", showName(t.Name.V), err))
			}
		}
	}
	return warnings, errors.Join(errs...)
}

// from names the first parameter that gave a part.
func (c CHAP) from() string {
	for _, from := range []string{c.User.From, c.Secret.From, c.TargetUser.From} {
		if from != "" {
			return from
		}
	}
	return c.TargetSecret.From
}
