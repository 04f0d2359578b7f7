package bootspec

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// maxRootPath is the limit of a root path in bytes: a name of 223, a host of 253, and the other
// fields. One DHCP option holds 255, several together hold more (RFC 3396).
const maxRootPath = 512

// maxHost is the longest host name in bytes (RFC 1035 section 2.3.4).
const maxHost = 253

// RootPath is the location of root in DHCP's option 17 and iPXE's sanboot (RFC 4173 section 5).
type RootPath struct {
	// Host is a name, or an IP address without brackets, optionally with a zone. Empty: another
	// source has to name the portal, because a target cannot be found by its name alone.
	Host string
	// Addr is Host as an address; not valid if it is a name.
	Addr netip.Addr
	// Port is the TCP port, DefaultPort where none is given.
	Port uint16
	LUN  iscsi.LUN
	// HasLUN distinguishes LUN 0 from no LUN; without one the target's LUNs are searched for
	// root.
	HasLUN bool
	Name   string // the target's iSCSI name, at most 223 bytes
}

// RootPathError reports what is wrong with a root path, and where.
type RootPathError struct {
	Offset int // byte of the root path, from 0
	Cause  string
	Write  string // what to write instead
}

// Error implements error. It does not contain the root path, which may hold a password.
func (e *RootPathError) Error() string {
	return fmt.Sprintf("root path, byte %d: %s: write %s", e.Offset, e.Cause, e.Write)
}

const rootPathForm = "iscsi:HOST:PROTOCOL:PORT:LUN:TARGET, such as iscsi:10.1.1.180::::iqn.2007-01.com.example:server.remote1"

// ParseRootPath reads iscsi:<host>:<protocol>:<port>:<lun>:<target>. The protocol is 6, tcp or
// empty, the port decimal, the LUN in RFC 4173's groups of hex digits, and the target is the rest.
// IPv6 is in brackets. As in iPXE port 0 means the default. Errors are *RootPathError.
func ParseRootPath(s string) (RootPath, error) {
	p := &rootPath{s: s}
	switch i := strings.IndexFunc(s, notInName); {
	case len(s) > maxRootPath:
		return RootPath{}, p.failf(maxRootPath, "it has %d bytes, limit %d", len(s), maxRootPath)
	case i >= 0:
		return RootPath{}, p.failf(i, "a blank, a control character or what is not UTF-8")
	case len(s) < 6 || !strings.EqualFold(s[:6], "iscsi:"):
		return RootPath{}, p.failf(0, "it does not begin with iscsi:")
	}
	p.at = len("iscsi:")
	var r RootPath
	for _, read := range []func(*RootPath) error{p.host, p.protocol, p.port, p.lun, p.name} {
		if err := read(&r); err != nil {
			return RootPath{}, err
		}
	}
	return r, nil
}

// String writes the root path so that ParseRootPath reads the same.
func (r RootPath) String() string {
	host := r.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	b := r.LUN.Bytes()
	lun := ""
	if r.HasLUN {
		lun = fmt.Sprintf("%x-%x-%x-%x", b[0:2], b[2:4], b[4:6], b[6:8])
	}
	return fmt.Sprintf("iscsi:%s:6:%d:%s:%s", host, r.Port, lun, r.Name)
}

// rootPath reads s from front to back.
type rootPath struct {
	s  string
	at int
}

func (p *rootPath) failf(at int, format string, args ...any) error {
	return &RootPathError{at, fmt.Sprintf(format, args...), rootPathForm}
}

// field returns the text up to the next colon, and where it begins.
func (p *rootPath) field(what string) (text string, at int, err error) {
	at = p.at
	text, _, ok := strings.Cut(p.s[at:], ":")
	if !ok {
		return "", at, p.failf(len(p.s), "it ends before the colon after the %s", what)
	}
	p.at += len(text) + 1
	return text, at, nil
}

// host reads a name, IPv4, or IPv6 in brackets with or without a scope.
func (p *rootPath) host(r *RootPath) error {
	at := p.at
	if strings.HasPrefix(p.s[at:], "[") {
		inner, _, ok := strings.Cut(p.s[at+1:], "]:")
		if !ok {
			return p.failf(at, "no ]: ends the address that [ begins")
		}
		addr, err := netip.ParseAddr(inner)
		if err != nil || !addr.Is6() {
			return p.failf(at+1, "between the brackets is not an IPv6 address")
		}
		r.Host, r.Addr = inner, addr
		p.at += len(inner) + len("[]:")
		return p.usable(at, addr)
	}
	text, at, err := p.field("host")
	if err != nil {
		return err
	}
	if i := strings.IndexByte(text, '@'); i >= 0 {
		return p.failf(at+i, "a root path cannot contain a user and a password")
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		r.Host, r.Addr = text, addr
		return p.usable(at, addr)
	}
	if i, ok := badHost(text); !ok {
		return p.failf(at+i, "this is neither an address nor a host name; write IPv6 in brackets")
	}
	r.Host = text
	return nil
}

// usable refuses addresses that no portal can have.
func (p *rootPath) usable(at int, addr netip.Addr) error {
	if addr.IsUnspecified() || addr.IsMulticast() || addr.Is4In6() {
		return p.failf(at, "not a portal address")
	}
	return nil
}

// badHost returns the index of the first wrong byte of a host name (RFC 1123 section 2.1); an
// underscore is accepted, as resolvers do. Digits and dots alone are a mistyped address.
func badHost(s string) (at int, ok bool) {
	label, letters := 0, s == ""
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case s[i] == '.' && label > 0:
			label = -1
		case c >= 'a' && c <= 'z', s[i] == '_', s[i] == '-' && label > 0:
			letters = true
		case s[i] < '0' || s[i] > '9':
			return i, false
		}
		if label++; label > 63 || i >= maxHost {
			return i, false
		}
	}
	return 0, letters
}

func (p *rootPath) protocol(*RootPath) error {
	text, at, err := p.field("protocol")
	if err != nil {
		return err
	}
	if !isTCP(text) {
		return p.failf(at, noTCP)
	}
	return nil
}

// isTCP reports whether a root path's protocol is TCP: its number (RFC 4173 section 5), its name as
// in manuals of adapters, or nothing.
func isTCP(protocol string) bool {
	return protocol == "" || protocol == "6" || strings.EqualFold(protocol, "tcp")
}

const noTCP = "the protocol is not TCP: it is written tcp, 6, or left empty"

func (p *rootPath) port(r *RootPath) error {
	text, at, err := p.field("port")
	if err != nil {
		return err
	}
	n := uint64(0)
	if text != "" {
		if n, err = strconv.ParseUint(text, 10, 16); err != nil {
			return p.failf(at, "the port is not a number from 0 to 65535")
		}
	}
	if r.Port = uint16(n); n == 0 {
		r.Port = DefaultPort
	}
	return nil
}

func (p *rootPath) lun(r *RootPath) error {
	text, at, err := p.field("LUN")
	if err != nil {
		return err
	}
	if r.LUN, err = iscsi.ParseHexLUN(text); err != nil {
		return p.failf(at, "the LUN is not one to four groups of up to four hex digits, separated by -")
	}
	r.HasLUN = text != ""
	return nil
}

func (p *rootPath) name(r *RootPath) error {
	r.Name = p.s[p.at:]
	switch {
	case r.Name == "":
		return p.failf(p.at, "the target's name is empty")
	case len(r.Name) > maxName:
		return p.failf(p.at+maxName, "the target's name has more than %d bytes", maxName)
	case !strings.HasPrefix(r.Name, "iqn.") && !strings.HasPrefix(r.Name, "eui.") && !strings.HasPrefix(r.Name, "naa."):
		return p.failf(p.at, "the target's name does not begin with iqn., eui. or naa.")
	}
	return nil
}
