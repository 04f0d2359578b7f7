package session

import "net/netip"

// Way is how a connection leaves this machine. The zero value leaves both to the
// kernel.
type Way struct {
	// Device is the interface that the socket is bound to (socket(7),
	// SO_BINDTODEVICE), as a VRF needs it; "": none.
	Device string
	// Source is the local address; not valid: the kernel chooses.
	Source netip.Addr
}
