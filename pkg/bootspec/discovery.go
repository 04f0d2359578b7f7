package bootspec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// discoveryLine replaces the target's name in a line for discovery sessions, which have no target
// (RFC 7143 4.3).
const discoveryLine = "discovery"

// ParsePortal reads HOST, HOST:PORT, [ADDRESS] and [ADDRESS]:PORT, the forms of iscsi_a=: an IPv6
// address is in brackets, which may be left out if no port follows. The default port is
// [iscsi.DefaultPort].
func ParsePortal(s string) (Portal, error) {
	p, ok := parsePortal(s)
	if !ok {
		return Portal{}, fmt.Errorf("portal %s: not an address or a host name with a port: write ADDRESS[:PORT], an IPv6 address in brackets",
			strconv.Quote(iscsi.Redact(s)))
	}
	if p.Port == 0 {
		p.Port = iscsi.DefaultPort
	}
	return p, nil
}

// DiscoveryCHAP returns the authentication of a discovery session from a file as [ParseCredentials]
// reads it, in which a line may have the word discovery in place of the target's name. That line is
// used; without one, and if the session requests one target only, the line of that target. The word
// is valid in files of the host, not in those of an image.
func DiscoveryCHAP(text []byte, target string) (*iscsi.CHAP, error) {
	all, err := parseCredentials(text, func(s string) bool { return s == discoveryLine || isTargetName(s) })
	if err != nil {
		return nil, err
	}
	for _, owner := range []string{discoveryLine, target} {
		for i, c := range all {
			if strings.EqualFold(c.Target, owner) {
				Plan{Credentials: append(all[:i:i], all[i+1:]...)}.Forget()
				chap := c.chap().Config(nil)
				return chap, chap.Check()
			}
		}
	}
	Plan{Credentials: all}.Forget()
	if target != "" {
		return nil, fmt.Errorf("no line for target %s, and none for discovery sessions: write %s USER SECRET [TARGET-USER TARGET-SECRET]", clip(target), discoveryLine)
	}
	return nil, fmt.Errorf("no line for discovery sessions: write %s USER SECRET [TARGET-USER TARGET-SECRET]", discoveryLine)
}

// InitiatorName returns the name in open-iscsi's file /etc/iscsi/initiatorname.iscsi; empty if the
// file has none.
func InitiatorName(text string) string {
	for _, p := range initiatorName(text) {
		return p.Value
	}
	return ""
}
