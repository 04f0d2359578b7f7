package session

import (
	"errors"
	"strings"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// Hint returns what to do, where the error alone does not show it. A target's response takes
// precedence over a portal that cannot be reached.
func (e *LoginError) Hint() string {
	unreachable := ""
	for _, t := range e.Portals {
		h := hint(t.Err)
		var connect *portal.ConnectError
		var resolve *portal.ResolveError
		switch {
		case h == "":
		case errors.As(t.Err, &connect), errors.As(t.Err, &resolve):
			if unreachable == "" {
				unreachable = h
			}
		default:
			return h
		}
	}
	return unreachable
}

func hint(err error) string {
	var connect *portal.ConnectError
	var resolve *portal.ResolveError
	var silence *SilenceError
	var broke kernel.ConnError
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	var digest *iscsi.DigestError
	switch {
	case errors.As(err, &digest):
		return digestHint(digest)
	case errors.As(err, &status):
		return statusHint(status.Code())
	case errors.As(err, &auth):
		return authHint(auth.Reason)
	case errors.As(err, &resolve):
		return "correct the name in iscsi_a= or write the address itself; names are looked up in the image's /etc/hosts and at nameserver=ADDRESS"
	case errors.As(err, &silence):
		return "the portal accepted the connection: check that it is an iSCSI target's (iscsi_a=, iscsi_p=), and that the target is not stopped or overloaded"
	case errors.As(err, &broke):
		return connectionHint(broke)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the host is up, but nothing listens on this port: check that the target is running, and iscsi_p="
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.As(err, &connect) && connect.TimedOut():
		return "check iscsi_a=, iscsi_gw=, the mask in iscsi_i_ip=, and that the target's host is up"
	}
	return ""
}

// connectionHint is for a connection that the kernel has ended.
func connectionHint(why kernel.ConnError) string {
	switch why {
	case kernel.TargetClosed:
		return "some targets close the connection without a response if the target name or this initiator is unknown: check iscsi_t=, iscsi_i= and the target's access list"
	case kernel.Failed, kernel.SendFailed:
		return "the target, its host or a firewall reset the connection, or the link was lost: check that the target is running, its log, and cable and switch port"
	case kernel.PingTimedOut:
		return "check that the target is running and not overloaded, and cable and switch port"
	case kernel.HeaderDigestWrong, kernel.DataDigestWrong:
		return "data was changed on its way: check cable, switch and the offloads of the NIC"
	case kernel.SessionFailed, kernel.HostRemoved, kernel.SessionReset:
		return "the kernel's messages above have the cause (dmesg)"
	}
	if why > kernel.SessionReset {
		return "" // a newer kernel's
	}
	return "the target violates RFC 7143, or another program answers on this port: check iscsi_a= and iscsi_p=, and update the target"
}

// statusHint names the parameter to check.
func statusHint(code iscsi.Status) string {
	switch code {
	case iscsi.StatusAuthFailure:
		return "correct user and secret for this target in iscsi_u= and iscsi_w= or in the image's " + bootspec.CredentialsPath + "; without any, the target requires CHAP"
	case iscsi.StatusNotAuthorized:
		return "add the name in iscsi_i= to the target's access list"
	case iscsi.StatusNotFound, iscsi.StatusTargetRemoved:
		return "correct iscsi_t= or iscsi_a=; some targets answer the same when the name in iscsi_i= is not in their access list"
	case iscsi.StatusServiceUnavailable:
		return "the target is starting or under maintenance; some targets answer the same when they do not have the name in iscsi_t="
	case iscsi.StatusTooManyConnections:
		return "is another machine using the same iscsi_i=? give each its own"
	}
	return ""
}

// digestHint names the parameters of digests to change.
func digestHint(e *iscsi.DigestError) string {
	words := func(value string, of func(iscsi.DigestPolicy) bool) string {
		var out []string
		if of(e.Header) && e.Key != "DataDigest" {
			out = append(out, "iscsi_header_digest="+value)
		}
		if of(e.Data) && e.Key != "HeaderDigest" {
			out = append(out, "iscsi_data_digest="+value)
		}
		return strings.Join(out, " ")
	}
	is := func(want iscsi.DigestPolicy) func(iscsi.DigestPolicy) bool {
		return func(d iscsi.DigestPolicy) bool { return d == want }
	}
	if w := words("accept", is(iscsi.RequireDigest)); w != "" {
		return "CRC32C alone was offered: set it up at the target, or write " + w
	}
	if w := words("accept", is(iscsi.NoDigest)); w != "" {
		return "None alone was offered: if the target requires CRC32C, write " + w
	}
	var status *iscsi.StatusError
	if !errors.As(e, &status) {
		return hint(e.Err)
	}
	return "if the target requires CRC32C and supports no list of digests, write " + words("require", iscsi.DigestPolicy.List)
}

// authHint is for a target that did not authenticate.
func authHint(r iscsi.AuthReason) string {
	switch r {
	case iscsi.AuthNone, iscsi.AuthSkipped:
		return "the target does not request authentication: set up CHAP there, or give this machine no user and secret"
	case iscsi.AuthAlgorithm:
		return "allow another hash in iscsi_chap=, or at the target"
	case iscsi.AuthTargetUser:
		return "correct the target's user in iscsi_U= or in " + bootspec.CredentialsPath
	case iscsi.AuthTargetResponse:
		return "correct the target's secret in iscsi_W= or in " + bootspec.CredentialsPath + "; if it is correct, another target answers at this address"
	case iscsi.AuthChallenge:
		return "update the target: a response to a challenge that short can be looked up or replayed; if it is up to date, another target answers at this address"
	case iscsi.AuthTargetSilent:
		return "set up mutual CHAP at the target, or give no iscsi_U= and iscsi_W="
	}
	return "the response violates RFC 7143: check that the address is that of the target"
}
