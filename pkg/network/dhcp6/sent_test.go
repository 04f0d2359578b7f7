package dhcp6

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// taken keeps the messages of a client.
type taken struct {
	*script
	messages [][]byte
}

func (s *taken) Send(b []byte) error {
	s.messages = append(s.messages, bytes.Clone(b))
	return s.script.Send(b)
}

// A message has the client's identifier, its association, the time that has passed, and what it
// asks for, at the numbers of RFC 8415 section 21; a request also the server's identifier.
func TestSent(t *testing.T) {
	c := testClient()
	s := &taken{script: &script{answer: func(*client) [][]byte { return nil }}}
	c.conn = s
	if err := c.send(msgSolicit, c.ia(dhcp.Lease{}.Address.Addr()), nil, c.begun); err != nil {
		t.Fatal(err)
	}
	if err := c.send(msgRequest, c.ia(dhcp.Lease{}.Address.Addr()), []byte("server"), c.begun); err != nil {
		t.Fatal(err)
	}
	if err := c.send(msgInform, nil, nil, c.begun); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		typ    byte
		ia     bool
		server string
	}{{1, true, ""}, {3, true, "server"}, {11, false, ""}} {
		b := s.messages[i]
		opts, err := options(b[4:])
		if err != nil || b[0] != want.typ || !bytes.Equal(b[1:4], c.xid[:]) {
			t.Fatalf("message %d: %x, %v", i, b, err)
		}
		if id := opts[1]; len(id) != 1 || !bytes.Equal(id[0], c.cfg.DUID) {
			t.Errorf("message %d: client %x", i, id)
		}
		if id := opts[2]; (len(id) == 1) != (want.server != "") || want.server != "" && string(id[0]) != want.server {
			t.Errorf("message %d: server %q", i, id)
		}
		if ia := opts[3]; (len(ia) == 1) != want.ia || want.ia && (len(ia[0]) != 12 || binary.BigEndian.Uint32(ia[0]) != 7) {
			t.Errorf("message %d: association %x", i, ia)
		}
		if at := opts[8]; len(at) != 1 || len(at[0]) != 2 {
			t.Errorf("message %d: elapsed time %x", i, at)
		}
		var asks []uint16
		for codes := opts[6]; len(codes) == 1 && len(codes[0]) > 0; codes[0] = codes[0][2:] {
			asks = append(asks, binary.BigEndian.Uint16(codes[0]))
		}
		if !slices.Equal(asks, []uint16{23, 24, 31, 56, 59}) {
			t.Errorf("message %d asks for %v", i, asks)
		}
	}
	if c.sent != 3 {
		t.Errorf("%d are counted", c.sent)
	}
}
