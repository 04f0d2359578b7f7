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

// maxRedirects is how many consecutive redirects are followed, as at a login.
const maxRedirects = 4

// Config configures the discovery sessions.
type Config struct {
	// Initiator is the initiator name, of 1 to 223 bytes; a portal may list only the targets
	// whose access lists contain it.
	Initiator string
	// Target limits the discovery to this target; empty: all targets.
	Target string
	// CHAP is the authentication of the discovery session; nil: none.
	CHAP *iscsi.CHAP
	// Timeout bounds the discovery at one portal, including the look-up of its name and
	// redirects.
	Timeout time.Duration
	// Dial makes a TCP connection; nil: net.Dialer.DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Result is the response of a portal.
type Result struct {
	// Path is the portal and those of the redirects that were followed; the last one sent the
	// response. At least one.
	Path []bootspec.Portal
	// Targets in the portal's order; their names contain printable characters only.
	Targets []iscsi.DiscoveredTarget
	// Warnings, one line each: targets that were left out, and weak CHAP secrets.
	Warnings []string
}

// Discover requests the targets of one portal (SendTargets). Memory is bounded by the limits of
// [iscsi.Discover], time by the configuration's Timeout and by ctx. The error is an *Error; the
// result then contains the path only.
func Discover(ctx context.Context, at bootspec.Portal, cfg Config) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	result := Result{Path: []bootspec.Portal{at}}
	fail := func(err error) (Result, error) {
		return result, &Error{Path: result.Path, Timeout: cfg.Timeout, Err: err}
	}
	for {
		last := result.Path[len(result.Path)-1]
		targets, err := withFallbacks(ctx, last, cfg)
		if err == nil {
			result.add(targets, cfg.CHAP)
			return result, nil
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
		case len(result.Path) > maxRedirects:
			return fail(&portal.RedirectError{To: next.String(), Cause: fmt.Sprintf("more than %d redirects in a row", maxRedirects)})
		case slices.Contains(result.Path, next):
			return fail(&portal.RedirectError{To: next.String(), Cause: "a redirect loop"})
		}
		result.Path = append(result.Path, next)
	}
}

// withFallbacks requests the targets of a portal, and again on a new connection if a login with
// another configuration may succeed.
func withFallbacks(ctx context.Context, at bootspec.Portal, cfg Config) ([]iscsi.DiscoveredTarget, error) {
	dc := iscsi.DiscoveryConfig{
		InitiatorName: cfg.Initiator, ISID: randomISID(), Target: cfg.Target,
		Portal: iscsi.TargetAddress{Host: at.Host, Port: at.Port}, CHAP: cfg.CHAP,
	}
	targets, err := discoverOnce(ctx, at, dc, cfg)
	if !setFallback(&dc, err) {
		return targets, err
	}
	targets, second := discoverOnce(ctx, at, dc, cfg)
	if second != nil {
		return nil, iscsi.MoreSpecific(err, second)
	}
	return targets, nil
}

// setFallback changes the configuration to one that may succeed after an error: with MD5 alone, or
// with a security stage. It reports whether there is one. Unlike a login at boot (pkg/session), a
// discovery session begins without that stage: it reinstates no session, and gotgt 0.2.2 supports
// SessionType only in the operational stage, and closes a connection that has the key in the stage
// before (pkg/port/iscsit/login.go: processSecurityData).
func setFallback(dc *iscsi.DiscoveryConfig, err error) bool {
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

// discoverOnce makes one connection and runs the discovery session over it.
func discoverOnce(ctx context.Context, at bootspec.Portal, dc iscsi.DiscoveryConfig, cfg Config) ([]iscsi.DiscoveredTarget, error) {
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

// randomISID returns an ISID of the format "random" (RFC 7143 11.12.5), so that the discovery
// session does not reinstate a session of a machine with this initiator name.
func randomISID() [6]byte {
	n := rand.Uint32()
	return [6]byte{0x80, byte(n >> 16), byte(n >> 8), byte(n)}
}

// add adds the targets whose names can be printed and written into a configuration.
func (a *Result) add(targets []iscsi.DiscoveredTarget, chap *iscsi.CHAP) {
	if chap != nil {
		a.Warnings = chap.Warnings()
	}
	for _, t := range targets {
		if !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			a.Warnings = append(a.Warnings, fmt.Sprintf("target %+q is left out: its name has characters that are not allowed", t.Name))
			continue
		}
		for _, w := range t.Warnings {
			a.Warnings = append(a.Warnings, fmt.Sprintf("target %s: %s", t.Name, w))
		}
		t.Warnings = nil
		a.Targets = append(a.Targets, t)
	}
}
