package ibft

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// defaultPort is iSCSI's TCP port (RFC 7143 section 4.2.7.2).
const defaultPort = 3260

// checkTarget verifies what a login needs, and drops what is not used with the CHAP type. An error
// in an optional value is odd only; with err the target is left out.
func checkTarget(at int, object string, g *Target) (odd []error, err error) {
	switch {
	case g.Name == "":
		return nil, fail(at, object, "no target name")
	case !g.Portal.Addr().IsValid():
		return nil, fail(at, object, "no address of target %s", g.Name)
	}
	if g.Portal.Port() == 0 {
		odd = append(odd, fail(at, object, "port 0 of target %s: %d is used", g.Name, defaultPort))
		g.Portal = netip.AddrPortFrom(g.Portal.Addr(), defaultPort)
	}
	chap, err := checkCHAP(g)
	if err != nil {
		return odd, fail(at, object, "%v", err)
	}
	if chap != "" {
		odd = append(odd, fail(at, object, "%s", chap))
	}
	if g.CHAP < MutualCHAP {
		g.ReverseUser, g.ReverseSecret = "", iscsi.Secret{}
	}
	if g.CHAP < OneWayCHAP {
		g.User, g.Secret = "", iscsi.Secret{}
	}
	return odd, nil
}

// checkCHAP changes the CHAP type to one for which there are secrets. Like open-iscsi
// (utils/fwparam_ibft/fwparam_ibft_sysfs.c) it is determined by the secrets where the type is
// unknown, and without where this machine's own is missing: the target then accepts or refuses.
// What cannot be is a login to a target that was to prove itself and is not asked to.
func checkCHAP(g *Target) (odd string, err error) {
	ours, theirs := g.User != "" && !g.Secret.Empty(), !g.ReverseSecret.Empty()
	switch {
	case g.CHAP > MutualCHAP:
		odd = fmt.Sprintf("CHAP type %d, want 0 to %d: the secrets are used", uint8(g.CHAP), MutualCHAP)
		g.CHAP = typeOf(ours, theirs)
	case g.CHAP == MutualCHAP && !ours:
		return "", errors.New("CHAP without user or secret, and mutual CHAP")
	case g.CHAP == MutualCHAP && !theirs:
		return "", errors.New("mutual CHAP without the target's secret")
	case g.CHAP == OneWayCHAP && !ours:
		odd, g.CHAP = "CHAP without user or secret: the login is without CHAP unless another source has them", NoCHAP
	}
	return odd, nil
}

// typeOf is the CHAP type that the secrets of the two sides are for.
func typeOf(ours, theirs bool) CHAPType {
	switch {
	case ours && theirs:
		return MutualCHAP
	case ours:
		return OneWayCHAP
	}
	return NoCHAP
}
