package iscsi

import (
	"errors"
	"fmt"
)

// maxNameLen is the longest iSCSI name in bytes (RFC 7143 4.2.7.1).
const maxNameLen = 223

// LoginConfig is one login of a normal session's leading connection.
type LoginConfig struct {
	// InitiatorName and TargetName are iSCSI names of 1 to 223 bytes.
	InitiatorName, TargetName string
	// ISID stays the same in all logins of this session, over reconnects and reboots (RFC 7143
	// 11.12.5): that is what makes a login reinstate the old session instead of adding one.
	ISID [6]byte
	// CID is the connection's id within the session (11.12.7).
	CID uint16
	// CmdSN goes into every request and is the number of the first command in full feature
	// phase (11.12.8). A kernel pipe replaces it.
	CmdSN uint32
	// TPGT is the portal group to expect; nil: any. A different answer is a warning (13.9).
	TPGT *uint16
	// SecurityStage, without CHAP, begins with the security stage, offering AuthMethod=None,
	// instead of the operational stage, which needs one exchange less. Some targets reinstate a
	// session (RFC 7143 6.3.5) only at the end of a security stage: tgtd 1.0.85 does, and keeps
	// both sessions after a login without one (usr/iscsi/iscsid.c: login_security_done).
	SecurityStage bool
	// CHAP, if not nil, is the authentication: it alone is offered, in a security stage, and a
	// target that does not use it is an *AuthError.
	CHAP *CHAP
	// Offer is what to offer; the zero Offer means DefaultOffer.
	Offer Offer

	// discovery makes it a discovery session, without a TargetName.
	discovery bool
}

// Result is a login that reached full feature phase.
type Result struct {
	// Params are the values to give to the kernel.
	Params Params
	// ExpStatSN is the target's last StatSN + 1.
	ExpStatSN uint32
	// ExpCmdSN and MaxCmdSN are the command window of the last response (RFC 7143 11.13,
	// 4.2.2.1).
	ExpCmdSN, MaxCmdSN uint32
	// TSIH is the target's session handle; 0 only from a target that breaks the RFC, with a
	// warning (11.13.3).
	TSIH uint16
	// TPGT is the target portal group tag; HasTPGT is set if the target named one (13.9).
	TPGT    uint16
	HasTPGT bool
	// TargetAlias is the target's own text, at most 255 bytes, unchecked: quote it before
	// printing (13.6).
	TargetAlias string
	// Algorithm is what CHAP used; 0 if the login had no authentication.
	Algorithm Algorithm
	// Mutual is set if the target authenticated itself too.
	Mutual bool
	// Warnings are harmless deviations of the target, one line each.
	Warnings []string
}

// checkName verifies only what the wire format requires: names that do not follow the RFC's advice,
// such as those with capitals, are accepted.
func checkName(key, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s: empty", key)
	case len(name) > maxNameLen:
		return fmt.Errorf("%s: %d bytes, limit %d", key, len(name), maxNameLen)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c == 0x7f {
			return fmt.Errorf("%s: byte 0x%02x is not allowed in a name", key, c)
		}
	}
	return nil
}

// check verifies the configuration, the offer excepted.
func (c *LoginConfig) check() error {
	errs := []error{checkName("InitiatorName", c.InitiatorName)}
	if !c.discovery {
		errs = append(errs, checkName("TargetName", c.TargetName))
	}
	if c.CHAP != nil {
		errs = append(errs, c.CHAP.Check())
	}
	return errors.Join(errs...)
}

// sessionType returns the value of the key SessionType (RFC 7143 13.21).
func (c *LoginConfig) sessionType() string {
	if c.discovery {
		return "Discovery"
	}
	return "Normal"
}

// authMethod returns the value of AuthMethod: one method, without a fallback.
func (c *LoginConfig) authMethod() string {
	if c.CHAP != nil {
		return methodCHAP
	}
	return valueNone
}
