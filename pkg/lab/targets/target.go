// Package targets starts iSCSI targets in a [lab.Namespace]: gotgt in a child of this executable,
// tgtd of the Linux SCSI target framework, and LIO in a machine of its own, whose program is
// pkg/internal/lioguest. What they serve is a [Config].
//
// A program that uses it, a test's TestMain as well, calls [Main] first.
package targets

import (
	"net/netip"
)

// Target is a running iSCSI target.
type Target interface {
	// Name is the target's iSCSI name.
	Name() string
	// Addr is the first portal.
	Addr() netip.AddrPort
	// Log is what the target has printed so far.
	Log() string
	// Stop ends the target immediately, as a power cut would; its connections are reset. The
	// same configuration can be started again on the same portal.
	Stop() error
}
