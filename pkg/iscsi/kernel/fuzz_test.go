package kernel

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// datagrams returns the recorded ones of both directions; there must be some, or the fuzzers would
// start from nothing.
func datagrams(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/kernel-6.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for line := range strings.Lines(string(text)) {
		sign, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if sign == "#" {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if len(out) < 50 {
		t.Fatalf("%d datagrams", len(out))
	}
	return out
}

// TestRecorded: each recorded datagram is one message, and what marshals comes back the same.
func TestRecorded(t *testing.T) {
	for _, b := range datagrams(t) {
		var ev uevent
		nlType, rest, err := ev.unmarshal(b)
		if err != nil || len(rest) != 0 {
			t.Errorf("%x: %d bytes left, %v", b, len(rest), err)
		}
		// The kernel's refusals and events have their own netlink types.
		if nlType == uint16(ev.typ) && !bytes.Equal(ev.marshal(), b) {
			t.Errorf("%x came back as %x", b, ev.marshal())
		}
	}
}

// TestShort: nothing is read past the end, with any length in the header.
func TestShort(t *testing.T) {
	whole := datagrams(t)[0]
	for n := range whole {
		if _, _, err := new(uevent).unmarshal(whole[:n]); !errors.Is(err, errShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, length := range []uint32{0, nlHeaderLen, nlHeaderLen + ueventLen - 1, uint32(len(whole)) + 1, 1<<32 - 1} {
		b := bytes.Clone(whole)
		native.PutUint32(b, length)
		if _, _, err := new(uevent).unmarshal(b); !errors.Is(err, errShort) {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// FuzzUevent: any datagram is read to its end, and each message of it is the same after marshal and
// unmarshal.
func FuzzUevent(f *testing.F) {
	for _, b := range datagrams(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			var ev, again uevent
			_, rest, err := ev.unmarshal(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
			b = rest
			nlType, rest, err := again.unmarshal(ev.marshal())
			if err != nil || len(rest) != 0 || nlType != uint16(ev.typ) {
				t.Fatalf("type %d, %d bytes left, %v", nlType, len(rest), err)
			}
			if again.typ != ev.typ || again.iferror != ev.iferror || again.handle != ev.handle ||
				again.u != ev.u || again.r != ev.r || !bytes.Equal(again.payload, ev.payload) {
				t.Fatalf("%+v came back as %+v", ev, again)
			}
		}
	})
}

// FuzzPipe: a PDU of any bytes agrees with its own header, or is an error.
func FuzzPipe(f *testing.F) {
	for _, b := range datagrams(f) {
		f.Add(b[nlHeaderLen+ueventLen:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &Pipe{itt: [4]byte{1, 2, 3, 4}}
		pdu, err := p.unmarshal(b)
		if err != nil {
			if !errors.Is(err, errShortPDU) {
				t.Fatal(err)
			}
			return
		}
		if pdu.ITT() != 0x01020304 || !bytes.HasPrefix(b[iscsi.BHSLen:], pdu.Data) || !bytes.Equal(pdu.BHS[:16], b[:16]) {
			t.Fatalf("%x became %+v", b, pdu)
		}
		header := pdu.BHS
		if err := pdu.SetLengths(); err != nil || !bytes.Equal(pdu.BHS[5:8], header[5:8]) {
			t.Fatalf("the header says % x, there are %d bytes: %v", header[5:8], len(pdu.Data), err)
		}
	})
}
