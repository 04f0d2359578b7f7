package rtwatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// describe returns an update as text.
func describe(u Update) string {
	switch {
	case u.Link != nil:
		a := u.Link.Attrs()
		return fmt.Sprintf("link %d %s %s del %v carrier %v",
			a.Index, a.Name, u.Link.Type(), u.Link.Header.Type == unix.RTM_DELLINK, a.RawFlags&unix.IFF_LOWER_UP != 0)
	case u.Address != nil:
		return fmt.Sprintf("address %d %v new %v flags %#x", u.Address.LinkIndex, &u.Address.LinkAddress, u.Address.NewAddr, u.Address.Flags)
	case u.Neighbour != nil:
		return fmt.Sprintf("neighbour %d %v state %#x del %v", u.Neighbour.LinkIndex, u.Neighbour.IP, u.Neighbour.State, u.Neighbour.Type == unix.RTM_DELNEIGH)
	}
	return fmt.Sprintf("lost %v error %v", u.Lost, u.Err)
}

// TestParse reads what Linux 6.18 sent while ip(8) made and changed a veth pair, a bridge on it,
// addresses and neighbours.
func TestParse(t *testing.T) {
	for name, want := range map[string]string{
		"link-up":        "link 2 b0 veth del false carrier true",
		"link-del":       "link 3 a0 veth del true carrier false",
		"bridge-port":    "",
		"bridge-leave":   "",
		"addr4":          "address 3 10.0.0.2/24 new true flags 0x80",
		"addr4-lifetime": "address 3 10.0.0.2/24 new true flags 0x0",
		"addr4-peer":     "address 3 10.1.0.2/32 new true flags 0x80",
		"addr4-del":      "address 3 10.0.0.2/24 new false flags 0x0",
		"addr6":          "address 3 fd00::2/64 new true flags 0x82",
		"neigh":          "neighbour 3 10.0.0.9 state 0x2 del false",
		"neigh-del":      "neighbour 3 10.0.0.9 state 0x20 del true",
		"neigh6-del":     "neighbour 3 ff02::2 state 0x40 del true",
		"fdb":            "",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			u, ok := update(must(t, b))
			if ok != (want != "") || ok && describe(u) != want {
				t.Errorf("got %q, want %q", describe(u), want)
			}
		})
	}
}

// message puts a header before the bytes of a message.
func message(kind uint16, data ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, make([]byte, unix.SizeofNlMsghdr-len(b))...)
	return append(b, data...)
}

// must splits a datagram of one message.
func must(t *testing.T, b []byte) syscall.NetlinkMessage {
	t.Helper()
	messages, err := split(b)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	return messages[0]
}

// What cannot be read is an error, also where a decoder panics, and the messages after it are read.
func TestParseDamaged(t *testing.T) {
	refused := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EPERM)+1)
	shortKind := append(make([]byte, unix.SizeofIfInfomsg), 8, 0, unix.IFLA_LINKINFO, 0, 4, 0, 1, 0) // IFLA_INFO_KIND of no bytes
	for name, tt := range map[string]struct {
		b    []byte
		want error // nil: any
	}{
		"short link":         {message(unix.RTM_NEWLINK, 0, 0, 0, 0), errMessage},
		"link without kind":  {message(unix.RTM_NEWLINK, shortKind...), nil},
		"short address":      {message(unix.RTM_NEWADDR, 2, 24, 0, 0), errMessage},
		"no address in it":   {message(unix.RTM_NEWADDR, 2, 24, 0, 0, 2, 0, 0, 0), errMessage},
		"short neighbour":    {message(unix.RTM_NEWNEIGH, 2, 0, 0, 0), errMessage},
		"attribute too long": {message(unix.RTM_NEWADDR, 2, 24, 0, 0, 2, 0, 0, 0, 99, 0, 2, 0), unix.EINVAL},
		"refused":            {message(unix.NLMSG_ERROR, refused...), unix.EPERM},
	} {
		t.Run(name, func(t *testing.T) {
			u, ok := update(must(t, tt.b))
			if !ok || u.Err == nil || tt.want != nil && !errors.Is(u.Err, tt.want) {
				t.Errorf("got %q, want %v", describe(u), tt.want)
			}
		})
	}
	if _, err := split([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}); !errors.Is(err, errMessage) {
		t.Errorf("a length of no sense: %v", err)
	}
	if u, ok := update(must(t, message(unix.NLMSG_DONE, 0, 0, 0, 0))); ok {
		t.Errorf("end of an answer: %q", describe(u))
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, _ := split(b)
		for _, m := range messages {
			u, ok := update(m)
			if ok && u.Link == nil && u.Address == nil && u.Neighbour == nil && u.Err == nil {
				t.Error("an update of nothing")
			}
			if u.Address != nil && u.Address.LinkAddress.IP == nil || u.Neighbour != nil && u.Neighbour.IP == nil {
				t.Error("no address in it")
			}
		}
	})
}
