// Package iscsi speaks the login of RFC 7143 from the initiator's side: PDUs,
// text keys, negotiation and the login phase, over anything that carries whole
// PDUs (a [Pipe]).
//
// It holds no clock and makes no system call of its own: deadlines come from
// the context of the caller, bytes come from a Pipe. [NewTCPPipe] frames PDUs
// on a byte stream; the kernel's pipe lives in pkg/iscsi/kernel.
//
// # How a login runs
//
// [Login] walks the stages of RFC 7143 6.3. A stage is a value that says which
// text it sends next and judges what came back; one driver does the headers,
// the sequence numbers, the continuation of long texts and the limits for all
// of them. What is negotiated is a table of keys (who may send it, when, by
// which function, within which range) with one engine over it.
//
// # What went wrong
//
// [StatusError] is the target's refusal and says whether waiting may help.
// [ProtocolError] is a target that broke the RFC. [StageError] wraps a refusal
// or a closed connection when a login that skipped the security stage is worth
// a second try with it. Everything else is the pipe's own error, wrapped. Text
// that came from the target appears in errors quoted and cut.
//
// Not in this package: dialling, following a redirect, retrying. Those need a
// clock or a network and belong to the caller.
package iscsi
