package kernel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// call is one method with its request for session 7.
var calls = []struct {
	name string
	call func(ctx context.Context, s *kernel.Session) error
	want kerneltest.Request
}{
	{
		"bind connection",
		func(ctx context.Context, s *kernel.Session) error { return s.Bind(ctx, 0x1_0000_0005) },
		kerneltest.Request{Type: kerneltest.BindConn, SID: 7, FD: 0x1_0000_0005, Leading: 1},
	},
	{
		"set parameter", // 9 bytes with the NUL: the message needs padding
		func(ctx context.Context, s *kernel.Session) error {
			return s.Set(ctx, []kernel.Setting{{Param: kernel.TargetName, Value: "iqn.2007"}})
		},
		kerneltest.Request{Type: kerneltest.SetParam, SID: 7, Param: 15, Value: "iqn.2007"},
	},
	{
		"send pdu",
		func(ctx context.Context, s *kernel.Session) error {
			p := s.Pipe()
			defer p.Close()
			return p.Send(ctx, &iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x43, 47: 9}, Data: []byte("A=b\x00C")})
		},
		kerneltest.Request{
			Type: kerneltest.SendPDU, SID: 7,
			PDU: append([]byte{0: 0x43, 7: 5, 47: 9}, "A=b\x00C"...),
		},
	},
	{
		"start connection",
		func(ctx context.Context, s *kernel.Session) error { return s.Start(ctx) },
		kerneltest.Request{Type: kerneltest.StartConn, SID: 7},
	},
	{
		"stop connection",
		func(ctx context.Context, s *kernel.Session) error { return s.Stop(ctx) },
		kerneltest.Request{Type: kerneltest.StopConn, SID: 7, Flag: 3},
	},
}

// Every request has its fields at the kernel's offsets.
func TestRequests(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s, err := tr.CreateSession(t.Context(), kernel.Limits{Commands: 64, QueueDepth: 16}, 0x01020304)
	if err != nil {
		t.Fatal(err)
	}
	if s.SID != 7 || s.HostNo != 2 || s.CID != 0 || s.String() != "session 7" {
		t.Errorf("session %+v, %v", s, s)
	}
	want := []kerneltest.Request{
		{Type: kerneltest.CreateSession, CmdSN: 0x01020304, Commands: 64, Depth: 16},
		{Type: kerneltest.CreateConn, SID: 7},
	}
	for _, c := range calls {
		if err := c.call(t.Context(), s); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		want = append(want, c.want)
	}
	if err := s.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	want = append(want, kerneltest.Request{Type: kerneltest.DestroyConn, SID: 7}, kerneltest.Request{Type: kerneltest.DestroyAsync, SID: 7})
	if diff := cmp.Diff(want, parse(t, sock)); diff != "" {
		t.Error(diff)
	}
}

func parse(t *testing.T, sock *kerneltest.Socket) []kerneltest.Request {
	t.Helper()
	var out []kerneltest.Request
	for _, b := range sock.Requests() {
		r, err := kerneltest.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// One request byte by byte, without any code in between.
func TestRequestBytes(t *testing.T) {
	tr, sock := open(t, acceptAll)
	if err := create(t, tr).Bind(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	got := sock.Requests()[2]
	want := make([]byte, 72)
	ne := binary.NativeEndian
	ne.PutUint32(want[0:], 72)                    // nlmsg_len
	ne.PutUint16(want[4:], 15)                    // nlmsg_type
	ne.PutUint32(want[16:], 15)                   // type
	ne.PutUint64(want[16+8:], 0xffffffffc0561060) // transport_handle
	ne.PutUint32(want[16+16:], 7)                 // sid
	ne.PutUint64(want[16+24:], 5)                 // transport_eph
	ne.PutUint32(want[16+32:], 1)                 // is_leading
	if !slices.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// The kernel refuses in two ways, and both are a RequestError.
func TestRefusals(t *testing.T) {
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			refusal := kerneltest.Refusal
			tr, _ := open(t, func(r kerneltest.Request, b []byte) [][]byte {
				if r.Type == c.want.Type {
					return [][]byte{refusal(b, unix.EBUSY)}
				}
				return acceptAll(r, b)
			})
			s := create(t, tr)
			checkRefusal(t, c.call(t.Context(), s), c.name)
			switch c.name {
			case "set parameter", "stop connection": // they have no return code
			default:
				refusal = kerneltest.ReturnCode
				checkRefusal(t, c.call(t.Context(), s), c.name)
			}
		})
	}
}

func checkRefusal(t *testing.T, err error, request string) {
	t.Helper()
	var re *kernel.RequestError
	if !errors.As(err, &re) || re.Request != request || re.Errno != unix.EBUSY || !errors.Is(err, unix.EBUSY) {
		t.Fatalf("got %v", err)
	}
	if got := err.Error(); !strings.HasPrefix(got, request+" ") || !strings.HasSuffix(got, "session 7: device or resource busy") {
		t.Errorf("got %q", got)
	}
}

// A parameter that the kernel does not support is skipped; any other refusal ends the list.
func TestSet(t *testing.T) {
	tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
		switch {
		case r.Type == kerneltest.SetParam && r.Param == uint32(kernel.FastAbort):
			return [][]byte{kerneltest.Refusal(b, unix.ENOSYS)}
		case r.Type == kerneltest.SetParam && r.Param == uint32(kernel.TPGT):
			return [][]byte{kerneltest.Refusal(b, unix.EINVAL)}
		}
		return acceptAll(r, b)
	})
	s := create(t, tr)
	err := s.Set(t.Context(), []kernel.Setting{
		{Param: kernel.FastAbort, Value: "1"},
		{Param: kernel.InterfaceName, Value: "default"},
		{Param: kernel.TPGT, Value: "1"},
		{Param: kernel.PingTimeout, Value: "30"},
	})
	if err == nil || err.Error() != "set parameter TPGT of session 7: invalid argument" {
		t.Errorf("got %v", err)
	}
	var asked []uint32
	for _, r := range parse(t, sock)[2:] {
		asked = append(asked, r.Param)
	}
	if !slices.Equal(asked, []uint32{26, 32, 16}) {
		t.Errorf("asked for %v", asked)
	}
}

// A session without a connection is useless and is destroyed, even if the caller no longer waits
// for it.
func TestCreateWithoutConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
		if r.Type == kerneltest.CreateConn {
			cancel()
			return [][]byte{kerneltest.Refusal(b, unix.ENOMEM)}
		}
		return acceptAll(r, b)
	})
	if _, err := tr.CreateSession(ctx, kernel.Limits{}, 1); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("got %v", err)
	}
	if all := parse(t, sock); len(all) != 3 || all[2].Type != kerneltest.DestroyAsync || all[2].SID != 7 {
		t.Errorf("got %+v", all)
	}
}

// The return code of DESTROY_SESSION is returned too, and a session with a connection stays.
func TestDestroyRefused(t *testing.T) {
	for _, refused := range []uint32{kerneltest.DestroyConn, kerneltest.DestroyAsync} {
		tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
			if r.Type == refused {
				return [][]byte{kerneltest.ReturnCode(b, unix.EBUSY)}
			}
			return acceptAll(r, b)
		})
		if err := create(t, tr).Destroy(t.Context()); !errors.Is(err, unix.EBUSY) {
			t.Errorf("%d: got %v", refused, err)
		}
		if all := parse(t, sock); all[len(all)-1].Type != refused {
			t.Errorf("%d: asked on after the refusal: %+v", refused, all)
		}
	}
}
