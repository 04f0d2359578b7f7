package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Limits on what a server may send.
const (
	maxDomain   = 253 // RFC 1035 section 2.3.4
	maxLabel    = 63
	MaxList     = 32   // addresses, names, routes
	MaxRootPath = 1024 // bytes
)

// Name checks a host or domain name as a server sent it: letters, digits, hyphens, underscores and
// dots, so that it is safe in shells and files. NULs and one dot at its end are removed.
func Name(b []byte) (string, error) {
	s := strings.TrimSuffix(strings.TrimRight(string(b), "\x00"), ".")
	if s == "" || len(s) > maxDomain {
		return "", fmt.Errorf("a name of %d bytes, want 1 to %d", len(s), maxDomain)
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' {
			return "", errors.New("a name with a part that is empty, too long or begins with -")
		}
		for _, c := range []byte(label) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", fmt.Errorf("a name with the byte %#02x", c)
			}
		}
	}
	return s, nil
}

// Names reads a list of domain names (RFC 3397 section 2, RFC 3646 section 4): labels with their
// lengths, and pointers into what came before.
func Names(b []byte) ([]string, error) {
	var out []string
	for at := 0; at < len(b); {
		name, next, err := oneName(b, at)
		if err != nil {
			return nil, err
		}
		if len(out) == MaxList {
			return nil, fmt.Errorf("more than %d names", MaxList)
		}
		out = append(out, name)
		at = next
	}
	return out, nil
}

// oneName reads the name at a place and returns where the next one begins. A pointer must point
// backwards, so there are no loops.
func oneName(b []byte, at int) (name string, next int, err error) {
	var labels []string
	size := 0
	for floor := at; ; {
		if at >= len(b) {
			return "", 0, errors.New("a name without an end")
		}
		n := int(b[at])
		switch {
		case n == 0:
			name, err = Name([]byte(strings.Join(labels, ".")))
			return name, max(next, at+1), err
		case n&0xc0 == 0xc0 && at+1 < len(b):
			to := n&0x3f<<8 | int(b[at+1])
			if to >= floor {
				return "", 0, errors.New("a name with a pointer that does not lead back")
			}
			next = max(next, at+2)
			at, floor = to, to
			continue
		case n > maxLabel || at+1+n > len(b):
			return "", 0, errors.New("a name with a part that is cut off")
		}
		if size += n + 1; size > maxDomain+1 {
			return "", 0, errors.New("a name that is too long")
		}
		labels = append(labels, string(b[at+1:at+1+n]))
		at += n + 1
	}
}

// Text checks a text other than a host name, such as a path or an iSCSI name, and removes NULs at
// its end.
func Text(b []byte, limit int) (string, error) {
	s := strings.TrimRight(string(b), "\x00")
	switch {
	case len(s) > limit:
		return "", fmt.Errorf("%d bytes, limit %d", len(s), limit)
	case !words.Printable(s):
		return "", errors.New("a byte that cannot be printed")
	}
	return s, nil
}

// Usable reports whether a host can have this address.
func Usable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
