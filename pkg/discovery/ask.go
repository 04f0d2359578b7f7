package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// maxRedirects is how many redirects in a row are followed, as at a login.
const maxRedirects = 4

// Config is what all portals are asked with.
type Config struct {
	// Initiator is the initiator name, of 1 to 223 bytes: a target's access list decides by it
	// which targets are shown.
	Initiator string
	// Target asks for the portals of this target alone; empty: for all targets.
	Target string
	// CHAP is the authentication of the discovery session; nil: none.
	CHAP *iscsi.CHAP
	// Timeout bounds everything that one portal is asked, look-up of its name and redirects
	// included.
	Timeout time.Duration
	// Dial makes a TCP connection; nil: package net does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Answer is what a portal answered.
type Answer struct {
	// Path is where the question went: the portal that was asked and those that redirects led
	// to, the last of which answered. At least one.
	Path []bootspec.Portal
	// Targets in the portal's order; their names hold printable characters alone.
	Targets []iscsi.DiscoveredTarget
	// Warnings, one line each, name targets that were left out, and what is weak.
	Warnings []string
}

// Ask asks one portal. Memory is bounded by the limits of [iscsi.Discover], time by the
// configuration's Timeout and by ctx. The error is an *Error; the answer then holds the path alone.
func Ask(ctx context.Context, at bootspec.Portal, cfg Config) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	answer := Answer{Path: []bootspec.Portal{at}}
	fail := func(err error) (Answer, error) {
		return answer, &Error{Path: answer.Path, Timeout: cfg.Timeout, Err: err}
	}
	for {
		last := answer.Path[len(answer.Path)-1]
		targets, err := inForms(ctx, last, cfg)
		if err == nil {
			answer.take(targets, cfg.CHAP)
			return answer, nil
		}
		var status *iscsi.StatusError
		if !errors.As(err, &status) {
			return fail(err)
		}
		to, _, ok := status.Redirect()
		if !ok {
			return fail(err)
		}
		next := bootspec.Portal{Host: to.Host, Port: to.Port}
		switch {
		case len(answer.Path) > maxRedirects:
			return fail(&portal.RedirectError{To: next.String(), Cause: fmt.Sprintf("more than %d redirects in a row", maxRedirects)})
		case slices.Contains(answer.Path, next):
			return fail(&portal.RedirectError{To: next.String(), Cause: "a redirect loop"})
		}
		answer.Path = append(answer.Path, next)
	}
}

// inForms asks a portal, and once more on a new connection where another form of the login may
// help.
func inForms(ctx context.Context, at bootspec.Portal, cfg Config) ([]iscsi.DiscoveredTarget, error) {
	dc := iscsi.DiscoveryConfig{
		InitiatorName: cfg.Initiator, ISID: randomISID(), Target: cfg.Target,
		Portal: iscsi.TargetAddress{Host: at.Host, Port: at.Port}, CHAP: cfg.CHAP,
	}
	targets, err := once(ctx, at, dc, cfg)
	if !otherForm(&dc, err) {
		return targets, err
	}
	targets, second := once(ctx, at, dc, cfg)
	if second != nil {
		return nil, iscsi.Telling(err, second)
	}
	return targets, nil
}

// otherForm changes the login to the form that may succeed after an error: with MD5 alone, or with
// a security stage. Other than a login at boot (pkg/session), a discovery session begins without
// that stage: it reinstates no session, and gotgt 0.2.2 reads SessionType in the operational stage
// alone, and closes a connection that has the key in the stage before (pkg/port/iscsit/login.go:
// processSecurityData).
func otherForm(dc *iscsi.DiscoveryConfig, err error) bool {
	var list *iscsi.AlgorithmsError
	var status *iscsi.StatusError
	switch {
	case errors.As(err, &list):
		old := *dc.CHAP
		old.Algorithms = []iscsi.Algorithm{iscsi.MD5}
		dc.CHAP = &old
		return true
	case dc.CHAP != nil:
		return false
	case errors.As(err, &status):
		dc.SecurityStage = status.Code() == iscsi.StatusInitiatorError || status.Code() == iscsi.StatusInvalidDuringLogin
	default:
		dc.SecurityStage = errors.Is(err, io.EOF)
	}
	return dc.SecurityStage
}

// once makes one connection and asks over it.
func once(ctx context.Context, at bootspec.Portal, dc iscsi.DiscoveryConfig, cfg Config) ([]iscsi.DiscoveredTarget, error) {
	dial := cfg.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", at.String())
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return nil, &portal.ResolveError{Host: at.Host, Err: err}
	case err != nil:
		return nil, &portal.ConnectError{Err: err}
	}
	defer func() { _ = conn.Close() }()
	return iscsi.Discover(ctx, iscsi.NewTCPPipe(conn), dc)
}

// randomISID is of the format "random" (RFC 7143 11.12.5), so that the discovery session reinstates
// no other session of this initiator name, a machine's among them.
func randomISID() [6]byte {
	n := rand.Uint32()
	return [6]byte{0x80, byte(n >> 16), byte(n >> 8), byte(n)}
}

// take keeps the targets whose names can be shown and written into a configuration.
func (a *Answer) take(targets []iscsi.DiscoveredTarget, chap *iscsi.CHAP) {
	if chap != nil {
		a.Warnings = chap.Warnings()
	}
	for _, t := range targets {
		if !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			a.Warnings = append(a.Warnings, fmt.Sprintf("target %+q is left out: its name has characters that are not allowed in one", t.Name))
			continue
		}
		for _, w := range t.Warnings {
			a.Warnings = append(a.Warnings, fmt.Sprintf("target %s: %s", t.Name, w))
		}
		t.Warnings = nil
		a.Targets = append(a.Targets, t)
	}
}
