package iscsi

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the TCP port of iSCSI (RFC 7143 13.8).
const DefaultPort = 3260

// TargetAddress is a portal as a target names it (RFC 7143 13.8).
type TargetAddress struct {
	// Host is a DNS name or an address, IPv6 without brackets.
	Host string
	// Port is never 0; DefaultPort if the target named none.
	Port uint16
	// TPGT is the portal group, if HasTPGT.
	TPGT    uint16
	HasTPGT bool
}

// ParseTargetAddress reads host[:port][,tpgt], an IPv6 address in brackets. The host holds only
// letters, digits and the signs of names and addresses, so it is safe to print. Zones are refused:
// they mean nothing on another machine.
func ParseTargetAddress(s string) (TargetAddress, error) {
	a, err := parseTargetAddress(s)
	if err != nil {
		return TargetAddress{}, fmt.Errorf("target address %s: %w", quote(s), err)
	}
	return a, nil
}

func parseTargetAddress(s string) (TargetAddress, error) {
	a := TargetAddress{Port: DefaultPort}
	s, tag, hasTag := strings.Cut(s, ",")
	if hasTag {
		n, err := parseNumber(tag)
		if err != nil || n > 0xffff {
			return a, errors.New("bad portal group tag, want 0 to 65535")
		}
		a.TPGT, a.HasTPGT = uint16(n), true
	}
	host, port, hasPort, err := splitHost(s)
	if err != nil {
		return a, err
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, errors.New("bad port, want 1 to 65535")
		}
		a.Port = uint16(n)
	}
	a.Host = host
	return a, nil
}

// splitHost separates the host from the port and verifies the host.
func splitHost(s string) (host, port string, hasPort bool, err error) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		inside, after, closed := strings.Cut(rest, "]")
		ip, err := netip.ParseAddr(inside)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", "", false, errors.New("no IPv6 address in brackets")
		}
		port, hasPort = strings.CutPrefix(after, ":")
		if after != "" && !hasPort {
			return "", "", false, errors.New("text after the bracket")
		}
		return inside, port, hasPort, nil
	}
	host, port, hasPort = strings.Cut(s, ":")
	if !validHost(host) {
		return "", "", false, errors.New("bad host name")
	}
	return host, port, hasPort, nil
}

// validHost accepts what a DNS name or an IPv4 address is made of; 253 bytes is the longest DNS
// name (RFC 1035 2.3.4).
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// String writes the address with its port, as the RFC does.
func (a TargetAddress) String() string {
	s := a.Host
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	s += ":" + strconv.Itoa(int(a.Port))
	if a.HasTPGT {
		s += "," + strconv.Itoa(int(a.TPGT))
	}
	return s
}
