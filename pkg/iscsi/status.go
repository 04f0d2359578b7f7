package iscsi

import "fmt"

// Status classes of a Login Response (RFC 7143 11.13.5).
const (
	classSuccess  = 0
	classRedirect = 1
	classTarget   = 3
)

// Status is the status of a Login Response, class and detail in one number as RFC 7143 11.13.5
// writes it: 0x0202 is class 2, detail 2.
type Status uint16

// The statuses of RFC 7143 11.13.5 but for success. The table below has their texts.
const (
	StatusMovedTemporarily   Status = 0x0101
	StatusMovedPermanently   Status = 0x0102
	StatusInitiatorError     Status = 0x0200
	StatusAuthFailure        Status = 0x0201
	StatusNotAuthorized      Status = 0x0202
	StatusNotFound           Status = 0x0203
	StatusTargetRemoved      Status = 0x0204
	StatusUnsupportedVersion Status = 0x0205
	StatusTooManyConnections Status = 0x0206
	StatusMissingParameter   Status = 0x0207
	StatusNotInSession       Status = 0x0208
	StatusSessionType        Status = 0x0209
	StatusNoSession          Status = 0x020a
	StatusInvalidDuringLogin Status = 0x020b
	StatusTargetError        Status = 0x0300
	StatusServiceUnavailable Status = 0x0301
	StatusOutOfResources     Status = 0x0302
)

// StatusError is a login that the target refused with a status. The connection has ended (RFC 7143
// 11.13.5).
type StatusError struct {
	// Class is 1 for a redirect, 2 for the initiator's fault, 3 for the target's; Detail is its
	// reason within the class.
	Class, Detail uint8
	// Addresses are the new portals, for class 1 only; then there is at least one.
	Addresses []TargetAddress
}

// Code returns class and detail as one number.
func (e *StatusError) Code() Status { return Status(e.Class)<<8 | Status(e.Detail) }

func (e *StatusError) Error() string {
	text := "status code not in RFC 7143"
	if s := findStatus(e.Code()); s != nil {
		text = s.text
	}
	verb := "refused"
	switch e.Class {
	case classRedirect:
		verb = "redirected"
	case classTarget:
		verb = "not served"
	}
	msg := fmt.Sprintf("%s (%04x): %s", verb, e.Code(), text)
	for i, a := range e.Addresses {
		if i == 0 {
			msg += " to " + a.String()
		} else {
			msg += " or " + a.String()
		}
	}
	return msg
}

// Redirect returns the new portal, if the status is a redirect; Addresses may have more. After a
// permanent redirect (0102) reconnects begin at the new portal, after a temporary one (0101) at the
// original portal. The caller decides whether to follow it.
func (e *StatusError) Redirect() (addr TargetAddress, permanent, ok bool) {
	if e.Class != classRedirect || len(e.Addresses) == 0 {
		return TargetAddress{}, false, false
	}
	return e.Addresses[0], e.Code() == StatusMovedPermanently, true
}

// Retryable reports whether the same login may succeed later without a change to this machine: a
// target that is still starting or importing its disks, or that has to drop an old session first.
// Access and authentication failures are not, nor is a login that the target does not support.
// Statuses that the RFC does not define are, if their class is target error.
func (e *StatusError) Retryable() bool {
	if s := findStatus(e.Code()); s != nil {
		return s.passes == temporary
	}
	return e.Class == classTarget
}

// NeedsAdministrator reports whether the target refuses this initiator: its name, or its user and
// secret. The administrator has to change the configuration of the target or of this machine.
func (e *StatusError) NeedsAdministrator() bool {
	s := findStatus(e.Code())
	return s != nil && s.passes == administrator
}

// unspecific reports whether the status names no cause: targets send it for requests that they do
// not support, such as a stage or a list of values.
func (e *StatusError) unspecific() bool {
	return e.Code() == StatusInitiatorError || e.Code() == StatusInvalidDuringLogin
}

// remedy is how a refusal ends.
type remedy uint8

const (
	permanent     remedy = iota // the same login is refused again
	temporary                   // by itself
	administrator               // when an administrator grants access
)

type status struct {
	code   Status
	passes remedy
	text   string
}

func findStatus(code Status) *status {
	for i := range statuses {
		if statuses[i].code == code {
			return &statuses[i]
		}
	}
	return nil
}

// statuses is the table of RFC 7143 11.13.5. The hints for statuses are in pkg/session, under the
// same names.
var statuses = [...]status{
	{StatusMovedTemporarily, permanent, "target moved temporarily"},
	{StatusMovedPermanently, permanent, "target moved permanently"},
	{StatusInitiatorError, permanent, "initiator error: the target rejects the login request"},
	{StatusAuthFailure, administrator, "authentication failed: wrong user or secret, or the target requires authentication"},
	{StatusNotAuthorized, administrator, "this initiator name is not in the target's access list"},
	{StatusNotFound, temporary, "this portal has no target of that name"},
	{StatusTargetRemoved, temporary, "the target has been removed"},
	{StatusUnsupportedVersion, permanent, "the target does not support this version of iSCSI"},
	{StatusTooManyConnections, temporary, "too many connections of this initiator name and ISID"},
	{StatusMissingParameter, temporary, "missing parameter: the request has no initiator name, target name or session type"},
	{StatusNotInSession, permanent, "the connection cannot be added to this session"},
	{StatusSessionType, permanent, "this portal does not serve sessions of this type"},
	{StatusNoSession, temporary, "the target does not know the session"},
	{StatusInvalidDuringLogin, permanent, "the request does not fit the state of the login"},
	{StatusTargetError, temporary, "target error"},
	{StatusServiceUnavailable, temporary, "the target's service is not available now"},
	{StatusOutOfResources, temporary, "the target is out of resources"},
}
