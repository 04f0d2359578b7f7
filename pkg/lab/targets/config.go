package targets

import (
	"errors"
	"net/netip"
	"slices"
)

// Config describes a target. gotgt supports Name, Portal, Portals at the same port, and LUNs only;
// StartGotgt rejects the rest.
type Config struct {
	// Name is the iSCSI name, for example "iqn.2007-01.com.example:storage.remote1".
	Name string
	// Portal is an address of the target's host in the namespace, and a TCP port.
	Portal netip.AddrPort
	// Portals are further ones, of the same portal group.
	Portals []netip.AddrPort
	// Grouped makes each portal a portal group of its own, numbered from 1, whose LUNs have an
	// access state of their own, see [LIO.SetAccess]; LIO only.
	Grouped bool
	// LUNs maps LUN to the raw image file behind it. gotgt: 0 to 255. tgtd: 1 to 16383, because
	// its LUN 0 is a controller. LIO: 0 to 65535.
	LUNs map[int]string
	// Initiators are the names that may log in; empty: all. LIO requires at least one.
	Initiators []string
	// CHAP is what a login requires; the zero CHAP: none.
	CHAP CHAP
	// DiscoveryCHAP is what a discovery session requires; the zero CHAP: none.
	DiscoveryCHAP CHAP
	// HeaderDigest and DataDigest are lists as in RFC 7143 13.1, best first: "CRC32C" requires
	// it, but tgtd accepts None too. Empty: "None".
	HeaderDigest, DataDigest string
	// MaxRecvDataSegmentLength is what the target declares, in bytes; 0: its own default.
	MaxRecvDataSegmentLength int
	// Redirect sends every login elsewhere; tgtd only.
	Redirect *Redirect
}

// CHAP holds the names and secrets of both directions (RFC 7143 12.1.3). Secrets are plain strings
// here: these are made up.
type CHAP struct {
	// User and Secret authenticate the initiator; both empty: not required.
	User, Secret string
	// MutualUser and MutualSecret authenticate the target; both empty: it cannot.
	MutualUser, MutualSecret string
}

// Redirect is a Login Response 0101 or 0102 (RFC 7143 11.13.5).
type Redirect struct {
	// To is the portal to go to.
	To netip.AddrPort
	// Permanent makes it 0102.
	Permanent bool
}

// portals are all portals, the first one first.
func (c Config) portals() []netip.AddrPort {
	return append([]netip.AddrPort{c.Portal}, c.Portals...)
}

func (c Config) check() error {
	switch {
	case c.Name == "":
		return errors.New("no target name")
	case slices.ContainsFunc(c.portals(), func(p netip.AddrPort) bool { return !p.IsValid() || p.Port() == 0 }):
		return errors.New("no portal address and port")
	case len(c.LUNs) == 0:
		return errors.New("no LUN")
	}
	return errors.Join(c.CHAP.check(), c.DiscoveryCHAP.check())
}

func (c CHAP) check() error {
	switch {
	case (c.User == "") != (c.Secret == "") || (c.MutualUser == "") != (c.MutualSecret == ""):
		return errors.New("CHAP: a name without a secret, or a secret without a name")
	case c.User == "" && c.MutualUser != "":
		return errors.New("CHAP: the target proves itself only to initiators that do")
	}
	return nil
}
