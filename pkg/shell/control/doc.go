// Package control is the protocol between the debug shell and PID 1 over the socket pair that the
// shell inherits.
//
// Each message is one datagram of a SOCK_SEQPACKET socket. A request is a line of quoted words, an
// answer is one word and then text as it is to be shown. PID 1 checks what it reads: a message that
// is too long or malformed is answered with an error, and a shell that misbehaves is at worst
// disconnected.
package control
