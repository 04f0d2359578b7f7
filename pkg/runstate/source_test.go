package runstate

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"
)

// source makes values of a fuzzer's bytes; behind their end are zeros.
type source struct{ rest []byte }

// take returns the next n bytes.
func (s *source) take(n int) []byte {
	b := make([]byte, n)
	s.rest = s.rest[copy(b, s.rest):]
	return b
}

func (s *source) uint32() uint32 { return binary.LittleEndian.Uint32(s.take(4)) }
func (s *source) bool() bool     { return s.take(1)[0]&1 == 1 }
func (s *source) count() int     { return int(s.take(1)[0] % 4) }

// many is most often a few, and else a number about a limit.
func (s *source) many(limit int) int {
	n := int(s.take(1)[0])
	if n < 0xfc {
		return n % 4
	}
	return limit + n - 0xfe
}

func (s *source) int() int      { return int(s.uint32() >> 1) }
func (s *source) bytes() []byte { return s.take(int(s.take(1)[0] % 32)) }
func (s *source) text() string  { return strings.TrimRight(string(s.bytes()), "\x00") }

// name is a text that can stand in a line: such are the names of targets, links and programs that
// the kernel and RFC 7143 allow.
func (s *source) name() string {
	n := joined(s.text())
	if n == none || n == "invalid" || n == "root" {
		return ""
	}
	return n
}

func (s *source) seconds() time.Duration { return time.Duration(s.uint32()) * time.Second }
func (s *source) tenths() time.Duration  { return time.Duration(s.uint32()) * 100 * time.Millisecond }

func (s *source) addr() netip.Addr {
	switch b := s.take(1)[0]; {
	case b == 0:
		return netip.Addr{}
	case b&1 == 0:
		return netip.AddrFrom16([16]byte(s.take(16)))
	}
	return netip.AddrFrom4([4]byte(s.take(4)))
}

// valid is a prefix that there is.
func (s *source) valid() netip.Prefix {
	a := s.addr()
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
	}
	return netip.PrefixFrom(a, int(s.take(1)[0])%(a.BitLen()+1))
}

func (s *source) prefix() netip.Prefix {
	if s.bool() {
		return s.valid()
	}
	return netip.Prefix{}
}

func (s *source) port() netip.AddrPort {
	if a := s.addr(); a.IsValid() {
		return netip.AddrPortFrom(a, uint16(s.uint32()))
	}
	return netip.AddrPort{}
}
