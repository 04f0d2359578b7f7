package dhcp

import (
	"fmt"
	"time"
)

// NoLeaseError reports that no server sent a usable answer.
type NoLeaseError struct {
	Protocol  string // "DHCP" or "DHCPv6"
	Interface string
	Sent      int           // messages
	Elapsed   time.Duration // since the first
	// LastIgnored describes the last message that was not usable; may be empty.
	LastIgnored string
	Err         error // why it ended
}

// Error implements error.
func (e *NoLeaseError) Error() string {
	requests := fmt.Sprintf("(%d requests in %s)", e.Sent, e.Elapsed.Round(time.Second))
	if e.LastIgnored != "" {
		return fmt.Sprintf("no lease by %s on %s %s: %s", e.Protocol, e.Interface, requests, e.LastIgnored)
	}
	return fmt.Sprintf("no %s server answers on %s %s", e.Protocol, e.Interface, requests)
}

// Unwrap returns why it ended: the context's error or the socket's.
func (e *NoLeaseError) Unwrap() error { return e.Err }
