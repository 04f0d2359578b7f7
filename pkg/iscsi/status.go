package iscsi

import "fmt"

// Status classes of a Login Response (RFC 7143 11.13.5).
const (
	classSuccess   = 0
	classRedirect  = 1
	classInitiator = 2
	classTarget    = 3

	statusMovedForGood = 0x0102
	statusInitiator    = 0x0200
	statusAuthNeed     = 0x0201
	statusMissing      = 0x0207
	statusBadLogin     = 0x020b
	statusTargetError  = 0x0300
)

// StatusError is a login that the target turned down with a status. The
// connection is over (RFC 7143 11.13.5).
type StatusError struct {
	// Class is 1 for a redirect, 2 for the initiator's fault, 3 for the
	// target's; Detail is its reason within the class.
	Class, Detail uint8
	// Addresses say where the target is now, for class 1 only; then there is
	// one at least.
	Addresses []TargetAddress
}

// Code returns class and detail as the RFC writes them, such as 0x0202.
func (e *StatusError) Code() uint16 { return uint16(e.Class)<<8 | uint16(e.Detail) }

func (e *StatusError) Error() string {
	words := "status code not in RFC 7143"
	if s := findStatus(e.Code()); s != nil {
		words = s.words
	}
	verb := "refused"
	switch e.Class {
	case classRedirect:
		verb = "redirected"
	case classTarget:
		verb = "not served"
	}
	msg := fmt.Sprintf("%s (%04x): %s", verb, e.Code(), words)
	for i, a := range e.Addresses {
		if i == 0 {
			msg += " to " + a.String()
		} else {
			msg += " or " + a.String()
		}
	}
	return msg
}

// Redirect returns where the target is now, if that is what the status says;
// Addresses may hold more. permanent tells a move for good (0102), after which
// reconnects begin there, from one for now (0101), after which they begin at the
// original portal. Whether to go there at all is the caller's decision.
func (e *StatusError) Redirect() (addr TargetAddress, permanent, ok bool) {
	if e.Class != classRedirect || len(e.Addresses) == 0 {
		return TargetAddress{}, false, false
	}
	return e.Addresses[0], e.Code() == statusMovedForGood, true
}

// Heals reports whether the same login may succeed later without anybody
// changing this machine: a target that is still starting or importing its
// disks, or that has to forget an old session first. Access and authentication
// failures do not heal, nor does a login that the target cannot understand.
// Statuses without a meaning in the RFC heal if they are the target's fault.
func (e *StatusError) Heals() bool {
	if s := findStatus(e.Code()); s != nil {
		return s.heals
	}
	return e.Class == classTarget
}

type status struct {
	code  uint16
	heals bool
	words string
}

func findStatus(code uint16) *status {
	for i := range statuses {
		if statuses[i].code == code {
			return &statuses[i]
		}
	}
	return nil
}

// statuses is the table of RFC 7143 11.13.5.
var statuses = [...]status{
	{0x0101, false, "target moved temporarily"},
	{0x0102, false, "target moved permanently"},
	{0x0200, false, "initiator error: the target rejects the login request"},
	{0x0201, false, "authentication failed: wrong user or secret, or the target requires authentication"},
	{0x0202, false, "this initiator name is not in the target's access list"},
	{0x0203, true, "this portal has no target of that name"},
	{0x0204, true, "the target has been removed"},
	{0x0205, false, "the target does not support this version of iSCSI"},
	{0x0206, true, "too many connections of this initiator name and ISID"},
	{0x0207, true, "missing parameter: the request has no initiator name, target name or session type"},
	{0x0208, false, "the connection cannot be added to this session"},
	{0x0209, false, "this portal does not serve normal sessions"},
	{0x020a, true, "the target does not know the session"},
	{0x020b, false, "the request does not fit the state of the login"},
	{0x0300, true, "target error"},
	{0x0301, true, "the target's service is not available now"},
	{0x0302, true, "the target is out of resources"},
}
