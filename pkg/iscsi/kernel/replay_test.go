package kernel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// exchange is a request of the recording with what the kernel sent after it.
type exchange struct {
	request []byte
	answers [][]byte
}

// recording reads testdata/kernel-6.1.txt; the file begins with a description.
func recording(t testing.TB) []exchange {
	t.Helper()
	f, err := os.Open("testdata/kernel-6.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []exchange
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		sign, text, _ := strings.Cut(lines.Text(), " ")
		if sign == "#" {
			continue
		}
		b, err := hex.DecodeString(text)
		switch {
		case err != nil || sign != ">" && (sign != "<" || len(out) == 0):
			t.Fatalf("line %q: %v", lines.Text(), err)
		case sign == ">":
			out = append(out, exchange{request: b})
		default:
			last := &out[len(out)-1]
			last.answers = append(last.answers, b)
		}
	}
	if err := lines.Err(); err != nil || len(out) < 20 {
		t.Fatalf("%d requests, %v", len(out), err)
	}
	return out
}

// recorded is a kernel that answers as the real one did, and requires the same requests. Sessions
// were removed by DESTROY_SESSION: the other request for that is refused as by a kernel that does
// not have it.
func recorded(t *testing.T) (tr *kernel.Transport, left func() []exchange) {
	rest := recording(t)
	tr, _ = open(t, func(r kerneltest.Request, b []byte) [][]byte {
		if r.Type == kerneltest.DestroyAsync {
			return [][]byte{kerneltest.Refusal(b, unix.ENOSYS)}
		}
		if len(rest) == 0 {
			t.Errorf("one request too many: %x", b)
			return nil
		}
		if !bytes.Equal(b, rest[0].request) {
			t.Errorf("got  %x\nwant %x", b, rest[0].request)
		}
		answers := rest[0].answers
		rest = rest[1:]
		return answers
	})
	return tr, func() []exchange { return rest }
}

// The recorded calls again, with the real kernel's bytes on both sides: two logins of a session,
// and all that the kernel refused.
func TestReplay(t *testing.T) {
	ctx := t.Context()
	tr, left := recorded(t)
	s := create(t, tr)
	if s.SID != 1 || s.HostNo != 0 {
		t.Errorf("session %d, host %d", s.SID, s.HostNo)
	}
	name := kernel.Setting{Param: kernel.TargetName, Value: "iqn.2007-01.com.example:storage.remote1"}
	refused(t, s.Set(ctx, []kernel.Setting{name}), unix.ENOTCONN) // before Bind
	refused(t, s.Bind(ctx, 999), unix.EEXIST)                     // not open
	refused(t, s.Stop(ctx), 0)
	for _, start := range []bool{false, true} {
		p := s.Pipe()
		refused(t, s.Bind(ctx, 7), 0)
		refused(t, s.Set(ctx, []kernel.Setting{name, {Param: 63, Value: "1"}, {Param: kernel.InterfaceName, Value: "default"}}), 0)
		if err := login(ctx, p, left()[0].request); err != nil {
			t.Error(err)
		}
		if start {
			refused(t, s.Start(ctx), 0)
		}
		if _, err := p.Receive(ctx); !errors.Is(err, io.EOF) || !errors.Is(err, kernel.TargetClosed) {
			t.Errorf("got %v", err)
		}
		p.Close()
		refused(t, s.Bind(ctx, 7), unix.ENOTCONN) // without Stop
		refused(t, s.Stop(ctx), 0)
	}
	second, err := tr.CreateSession(ctx, kernel.Limits{Commands: 64, QueueDepth: 16}, 7)
	if err != nil || second.SID != 2 || second.HostNo != 1 {
		t.Fatalf("got %+v, %v", second, err)
	}
	refused(t, second.Destroy(ctx), 0)
	refused(t, second.Stop(ctx), unix.EINVAL)
	refused(t, second.Start(ctx), unix.EINVAL)
	refused(t, second.Destroy(ctx), unix.EINVAL)
	if n := len(left()); n != 0 {
		t.Errorf("%d recorded requests were not made", n)
	}
}

func refused(t *testing.T, err error, want unix.Errno) {
	t.Helper()
	if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// login sends the recorded login request and looks at the response.
func login(ctx context.Context, p *kernel.Pipe, request []byte) error {
	r, err := kerneltest.Parse(request)
	if err != nil {
		return err
	}
	pdu := &iscsi.PDU{BHS: [iscsi.BHSLen]byte(r.PDU), Data: r.PDU[iscsi.BHSLen:]}
	if err := p.Send(ctx, pdu); err != nil {
		return err
	}
	got, err := p.Receive(ctx)
	if err != nil {
		return err
	}
	resp, err := iscsi.ParseLoginResponse(got)
	if err != nil {
		return err
	}
	pairs, err := iscsi.ParseText(resp.Data)
	if err != nil || len(pairs) == 0 || !resp.Transit || resp.ITT != pdu.ITT() {
		return fmt.Errorf("response %+v with %q: %w", resp, pairs, err)
	}
	return nil
}
