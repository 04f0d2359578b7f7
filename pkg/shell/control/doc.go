// Package control is what the debug shell and PID 1 say to each other over the
// socket pair that the shell inherits.
//
// Each message is one datagram of a SOCK_SEQPACKET socket. A request is a line
// of quoted words, an answer is one word and then text as it is to be shown.
// PID 1 believes nothing of what it reads: a message that is too long or no
// request is answered with an error, and whatever the other end does, the worst
// is that the conversation ends.
package control
