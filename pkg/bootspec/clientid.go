package bootspec

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

const clientIDForm = "mac, its bytes in hex with colons, such as 01:52:54:00:12:34:56, or TYPE,TEXT"

// macClientID is the word for 01 and the MAC of the requesting NIC, so that all machines of a fleet
// can have one command line. systemd and NetworkManager use the same word (systemd.network(5),
// ClientIdentifier=; nm-settings(5), ipv4.dhcp-client-id).
const macClientID = "mac"

// ParseClientID reads DHCP's client identifier (RFC 2132 section 9.14): a type from 0 to 255 and a
// text, as in the kernel's ip=dhcp,TYPE,TEXT, or all bytes in hex with colons or hyphens. cause
// describes what is wrong, and is empty if nothing is.
func ParseClientID(s string) (id []byte, cause string) {
	if typ, text, ok := strings.Cut(s, ","); ok {
		n, err := strconv.ParseUint(typ, 10, 8)
		if err != nil {
			return nil, "the client identifier's type is not a number from 0 to 255"
		}
		id = append([]byte{byte(n)}, text...)
	} else {
		for group := range strings.SplitSeq(strings.ReplaceAll(s, "-", ":"), ":") {
			b, err := hex.DecodeString(group)
			if err != nil || len(b) == 0 {
				return nil, "the client identifier is neither hex nor TYPE,TEXT"
			}
			id = append(id, b...)
		}
	}
	if len(id) < 2 || len(id) > 255 {
		return nil, "the client identifier has " + strconv.Itoa(len(id)) + " bytes, want 2 to 255"
	}
	return id, ""
}

// DHCPClientID returns the bytes of the identifier for an Ethernet NIC; nil: none is configured.
func (ip IP) DHCPClientID(mac []byte) []byte {
	switch ip.ClientID {
	case "":
		return nil
	case macClientID:
		return append([]byte{1}, mac...) // the hardware type, RFC 2132 section 9.14
	}
	id, _ := ParseClientID(ip.ClientID) // it was read before
	return id
}

func (ps *parser) clientID(p cmdline.Param) error {
	if strings.EqualFold(p.Value, macClientID) {
		set(ps, &ps.plan.Net.ClientID, macClientID, p)
		return nil
	}
	if _, cause := ParseClientID(p.Value); cause != "" {
		return bad(p, cause, clientIDForm)
	}
	set(ps, &ps.plan.Net.ClientID, p.Value, p)
	return nil
}
