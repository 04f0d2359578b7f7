// Package iscsi implements the initiator's side of RFC 7143 up to full feature phase, over anything
// that carries whole PDUs (a [Pipe]): PDUs, text keys, negotiation, CHAP, the login phase,
// discovery and logout.
//
// It reads no clock and makes no system call, except for the random challenges of mutual CHAP:
// deadlines come from the context of the caller, bytes from a Pipe. [NewTCPPipe] frames PDUs on a
// byte stream; the kernel's pipe is in pkg/iscsi/kernel.
//
// # How a login runs
//
// [Login] runs the stages of RFC 7143 6.3. A stage is a value that returns the text to send next
// and processes the response; one driver does the headers, the sequence numbers, the continuation
// of long texts and the limits for all of them. What is negotiated is a table of keys (who may send
// it, when, by which function, within which range) with one engine over it. With a [CHAP] in the
// configuration the security stage is that, and nothing else is offered or accepted; without one it
// is an exchange of AuthMethod=None, or the login begins in the operational stage.
//
// [Discover] logs in to a discovery session, asks for targets and logs out. [Idle] keeps a session
// that has nothing else to do: it answers and sends pings.
//
// # What went wrong
//
// [StatusError] is the target's refusal: it reports whether waiting may help, or to which portal
// the target redirects. [ProtocolError] is a violation of the RFC by the target. [AuthError] is a
// target that is not trusted, or does not do what is configured. [StageError] wraps a refusal when
// a login that began with a security stage without authentication may succeed without it, and
// [AlgorithmsError] when one with MD5 alone is; [MoreSpecific] chooses which of two logins' errors
// to show. Everything else is the pipe's own error, wrapped. Text that came from the target is
// quoted and truncated in errors.
//
// Not in this package: dialling, following a redirect, retrying. Those need a clock or a network
// and are the caller's.
package iscsi
