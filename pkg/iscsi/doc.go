// Package iscsi speaks RFC 7143 from the initiator's side up to full feature phase, over anything
// that carries whole PDUs (a [Pipe]): PDUs, text keys, negotiation, CHAP, the login phase,
// discovery and logout.
//
// It holds no clock and makes no system call of its own, but for the random challenges of mutual
// CHAP: deadlines come from the context of the caller, bytes come from a Pipe. [NewTCPPipe] frames
// PDUs on a byte stream; the kernel's pipe lives in pkg/iscsi/kernel.
//
// # How a login runs
//
// [Login] walks the stages of RFC 7143 6.3. A stage is a value that says which text it sends next
// and judges what came back; one driver does the headers, the sequence numbers, the continuation of
// long texts and the limits for all of them. What is negotiated is a table of keys (who may send
// it, when, by which function, within which range) with one engine over it. With a [CHAP] in the
// configuration the security stage is that, and nothing else is offered or accepted; without one it
// is an exchange of AuthMethod=None, or the login begins in the operational stage.
//
// [Discover] logs in to a discovery session, asks for targets and logs out. [Idle] keeps a session
// that has nothing else to do: it answers and sends pings.
//
// # What went wrong
//
// [StatusError] is the target's refusal: it says whether waiting may help, or where the target is
// now. [ProtocolError] is a target that broke the RFC. [AuthError] is one that is not to be
// trusted, or does not do what is configured. [StageError] wraps a refusal when a login that began
// with a security stage without authentication is worth a second try without it, and
// [AlgorithmsError] when one with MD5 alone is; [Telling] chooses which of two tries' errors to
// show. Everything else is the pipe's own error, wrapped. Text that came from the target appears in
// errors quoted and cut.
//
// Not in this package: dialling, following a redirect, retrying. Those need a clock or a network
// and belong to the caller.
package iscsi
