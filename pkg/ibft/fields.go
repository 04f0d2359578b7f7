package ibft

import (
	"encoding/binary"
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// fields reads a structure from front to back and keeps its first error. The length was checked
// before.
type fields struct {
	r      *reader
	at     int // of the next field, in the table
	last   int // of the field just read
	object string
	flags  Flags
	index  uint8
	err    error
}

func (r *reader) fields(at int, object string, typ byte, want int) (*fields, error) {
	b, err := r.header(at, object, typ, want)
	if err != nil {
		return nil, err
	}
	return &fields{r: r, at: at + structHeaderLen, last: at, object: object, index: b[4], flags: Flags(b[5])}, nil
}

// pass leaves out the field just read, and keeps its structure.
func (f *fields) pass(format string, args ...any) {
	f.r.odd = append(f.r.odd, fail(f.last, f.object, format, args...))
}

// fail reports the field just read: its structure is left out.
func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fail(f.last, f.object, format, args...)
	}
}

func (f *fields) take(n int) []byte {
	f.last = f.at
	f.at += n
	return f.r.b[f.last:f.at]
}

func (f *fields) u16() uint16 { return binary.LittleEndian.Uint16(f.take(2)) }

// addr reads an address of 16 bytes. Zeros are none, whether of IPv6 or mapped from IPv4; some
// firmwares fill the field with ones instead.
func (f *fields) addr() netip.Addr {
	return given(netip.AddrFrom16([16]byte(f.take(16))))
}

// given turns what means none into the zero Addr, and IPv4-mapped into IPv4.
func given(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.IsUnspecified() || a.IsMulticast() && a.Is6() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.Addr{}
	}
	return a
}

// bytes reads a string's length and offset and returns the string without the NUL that some
// firmwares count.
func (f *fields) bytes(limit int) []byte {
	n, at := int(f.u16()), int(f.u16())
	switch {
	case n == 0 || f.err != nil:
		return nil
	case at < tableHeaderLen || at+n > len(f.r.b):
		f.fail("a string of %d bytes at byte %d is outside of the table of %d bytes", n, at, len(f.r.b))
		return nil
	}
	b := f.r.b[at : at+n]
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if len(b) > limit {
		f.fail("a string of %d bytes, limit %d", len(b), limit)
		return nil
	}
	return b
}

// name reads a string that people see.
func (f *fields) name(limit int) string {
	s := string(f.bytes(limit))
	if !words.Printable(s) {
		// Not shown: an offset that is wrong may lead to a secret.
		f.fail("a string of %d bytes holds what cannot be printed", len(s))
		return ""
	}
	return s
}

// optional reads a string that its structure does without.
func (f *fields) optional(limit int) string {
	if f.err != nil {
		return ""
	}
	s := f.name(limit)
	if f.err != nil {
		f.r.odd, f.err = append(f.r.odd, f.err), nil
	}
	return s
}

func (f *fields) secret() iscsi.Secret {
	return iscsi.NewSecret([]byte(string(f.bytes(maxString)))) // a copy: the table's bytes are the caller's
}
