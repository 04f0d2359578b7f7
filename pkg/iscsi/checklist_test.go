package iscsi_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// The numbers in the names of these tests are those of the initiator's checklist in the design's
// reference on login.

type (
	request  = iscsi.LoginRequest
	response = iscsi.LoginResponse
)

// stay does not leave the stage yet, part goes on in the next response, last ends such a text.
var (
	stay = iscsitest.Stay
	part = iscsitest.Part
	last = iscsitest.Last
)

func done() iscsitest.Step { return iscsitest.Text() }

// unknown returns n pairs whose keys are unknown, padded to size bytes each.
func unknown(n, size int) []string {
	var pairs []string
	for i := range n {
		p := fmt.Sprintf("X-com.example.%04d=", i)
		pairs = append(pairs, p+strings.Repeat("v", size-len(p)-1))
	}
	return pairs
}

func TestChecklistText(t *testing.T) {
	t.Run("1 longest key and value, equals sign in the value", func(t *testing.T) {
		alias := strings.Repeat("a=", 127) + "b"
		long := "X" + strings.Repeat("y", 62)
		o := login(t, config(), stay(answers("TargetAlias="+alias, long+"=1")...), done())
		if got := o.ok(t).TargetAlias; got != alias {
			t.Errorf("alias %q", got)
		}
		if got := o.text(t, 1); !slices.Equal(got, []string{long + "=NotUnderstood"}) {
			t.Errorf("answered %q", got)
		}
	})
}

func TestChecklistBadText(t *testing.T) {
	bad := map[string][2]string{
		"1 key too long":    {"X" + strings.Repeat("y", 63) + "=1\x00", "bad key name"},
		"1 small first":     {"x-key=1\x00", "bad key name"},
		"1 empty key":       {"=1\x00", "bad key name"},
		"1 bad character":   {"X key=1\x00", "bad key name"},
		"1 no equals sign":  {"Nothing\x00", "without an equals sign"},
		"1 no final NUL":    {"TargetAlias=x", "without its final NUL"},
		"1 too many pairs":  {strings.Repeat("A=\x00", 513), "more than 512 pairs"},
		"1 empty pair":      {"TargetAlias=x\x00\x00", "without an equals sign"},
		"1 log injection":   {"a\n<0>panic\x1b[2J\x00", `"a\n<0>panic\x1b[2J"`},
		"1 error is cut":    {strings.Repeat("a", 4000) + "\x00", `aaa"...`},
		"1 not even UTF-8":  {"\xff\xfe\x00", `"\xff\xfe"`},
		"1 NUL at the head": {"\x00", "without an equals sign"},
	}
	for name, c := range bad {
		t.Run(name, func(t *testing.T) {
			o := login(t, config(), last(c[0]))
			o.breaks(t, "6.1", c[1])
			if len(o.err.Error()) > 1000 || strings.ContainsAny(o.err.Error(), "\n\x1b") {
				t.Errorf("unfit for a log: %v", o.err)
			}
		})
	}
	t.Run("1 value too long", func(t *testing.T) {
		login(t, config(), stay("TargetAlias="+strings.Repeat("x", 256))).breaks(t, "13.6", "256 bytes, limit 255")
	})
}

func TestChecklistLongText(t *testing.T) {
	t.Run("2 pair straddles PDUs", func(t *testing.T) {
		o := login(t, config(), part("TargetAl"), part("ias=sto"), last("re\x00"), iscsitest.Text(answers()...))
		if got := o.ok(t).TargetAlias; got != "store" {
			t.Errorf("alias %q", got)
		}
		for i, r := range o.requests[1:3] {
			if r.Transit || r.Continue || r.NSG != 0 || len(r.Data) != 0 {
				t.Errorf("request %d inside a continuation: %+v", i+2, r)
			}
		}
	})
	t.Run("3 long text", func(t *testing.T) {
		text := string(iscsitest.Join(unknown(240, 101)...))
		o := login(t, config(), part(text[:8000]), part(text[8000:16000]), part(text[16000:24000]), last(text[24000:]), done())
		if got := o.text(t, 4); len(got) != 240 || got[239] != "X-com.example.0239=NotUnderstood" {
			t.Errorf("%d answers, last %q", len(got), got[len(got)-1])
		}
	})
}

func TestChecklistValues(t *testing.T) {
	t.Run("4 hex number", func(t *testing.T) {
		o := login(t, config(), iscsitest.Text(answers("MaxBurstLength=0x40000", "FirstBurstLength=0XfFfF")...))
		if p := o.ok(t).Params; p.MaxBurstLength != 0x40000 || p.FirstBurstLength != 0xffff {
			t.Errorf("%+v", p)
		}
	})
	numbers := []string{"", "0x", "065536", "-1", "6_5536", "65536 ", "1e6", "99999999999999999999"}
	for _, v := range numbers {
		t.Run("4 no number "+v, func(t *testing.T) {
			login(t, config(), iscsitest.Text(answers("MaxBurstLength="+v)...)).breaks(t, "13.13", " number")
		})
	}
	for _, v := range []string{"", "yes", "YES", "1", "Yes,No"} {
		t.Run("4 no boolean "+v, func(t *testing.T) {
			login(t, config(), iscsitest.Text(answers("ImmediateData="+v)...)).breaks(t, "13.11", "want Yes or No")
		})
	}
}

// threeRequests is a login with both stages and a second operational request.
func threeRequests(t *testing.T) (iscsi.LoginConfig, outcome) {
	cfg := config()
	cfg.CID, cfg.CmdSN, cfg.SecurityStage = 7, 0xfffffff0, true
	sn := uint32(0xfffffffe) // StatSN wraps
	count := func(_ *request, r *response) { r.StatSN = sn; sn++ }
	late := iscsitest.Login(func(q *request, r *response) {
		count(q, r)
		r.Transit, r.NSG, r.Data = false, 0, iscsitest.Join(answers("X-big=1")...)
	})
	o := login(t, cfg, iscsitest.Login(count), late, iscsitest.Login(count))
	o.warns(t)
	if len(o.requests) != 3 {
		t.Fatalf("%d requests", len(o.requests))
	}
	return cfg, o
}

func TestChecklistHeader(t *testing.T) {
	cfg, o := threeRequests(t)
	first := o.requests[0]
	t.Run("13 opcode and immediate bit", func(t *testing.T) {
		p, err := first.PDU()
		if err != nil || p.BHS[0] != 0x43 {
			t.Errorf("byte 0 is 0x%02x, %v", p.BHS[0], err)
		}
	})
	t.Run("15 stages go forward", func(t *testing.T) {
		var got []string
		for _, r := range o.requests {
			got = append(got, fmt.Sprint(r.CSG, " to ", r.NSG, " ", r.Transit))
		}
		want := []string{
			"security stage to operational stage true",
			"operational stage to full feature phase true", "operational stage to full feature phase true",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
	for i, r := range o.requests {
		checkConstant(t, i, first, r, cfg)
	}
	t.Run("20 ExpStatSN", func(t *testing.T) {
		if a, b := o.requests[1].ExpStatSN, o.requests[2].ExpStatSN; a != 0xffffffff || b != 0 {
			t.Errorf("%08x then %08x", a, b)
		}
	})
	t.Run("21 names in the first request only", func(t *testing.T) {
		names := []string{"InitiatorName=" + cfg.InitiatorName, "TargetName=" + cfg.TargetName, "SessionType=Normal"}
		if got := o.text(t, 0); !slices.Equal(got, append(names, "AuthMethod=None")) {
			t.Errorf("first request: %q", got)
		}
		if rest := fmt.Sprint(o.text(t, 1), o.text(t, 2)); strings.Contains(rest, "Name=") || strings.Contains(rest, "SessionType=") {
			t.Errorf("later requests: %s", rest)
		}
	})
}

// checkConstant verifies the fields that are the same in all requests of a login.
func checkConstant(t *testing.T, i int, first, r *request, cfg iscsi.LoginConfig) {
	t.Run(fmt.Sprintf("16 17 18 19 request %d", i+1), func(t *testing.T) {
		switch {
		case r.VersionMax != 0 || r.VersionMin != 0:
			t.Error("16: version")
		case r.ISID != cfg.ISID || r.TSIH != 0:
			t.Error("17: ISID or TSIH")
		case r.ITT != first.ITT || r.ITT == 0xffffffff || r.CID != cfg.CID:
			t.Error("18: ITT or CID")
		case r.CmdSN != cfg.CmdSN:
			t.Error("19: CmdSN")
		}
	})
}

func TestChecklistExchange(t *testing.T) {
	t.Run("14 23 long answer in parts", func(t *testing.T) {
		ask := unknown(400, 24)
		text := string(iscsitest.Join(ask...))
		nothing := iscsitest.Login(nil)
		o := login(t, config(), part(text[:8192]), last(text[8192:]), nothing, iscsitest.Text(answers()...))
		o.warns(t)
		r := o.requests[2]
		if len(r.Data) != iscsi.LoginDataLen || !r.Continue || r.Transit || r.NSG != 0 {
			t.Errorf("first part: %d bytes, C %v, T %v, NSG %v", len(r.Data), r.Continue, r.Transit, r.NSG)
		}
		r = o.requests[3]
		if r.Continue || !r.Transit || r.NSG != iscsi.StageFullFeature {
			t.Errorf("last part: C %v, T %v, NSG %v", r.Continue, r.Transit, r.NSG)
		}
		all := string(o.requests[2].Data) + string(r.Data)
		if n := strings.Count(all, "=NotUnderstood\x00"); n != len(ask) {
			t.Errorf("%d answers, want %d", n, len(ask))
		}
	})
	t.Run("14 target talks into our parts", func(t *testing.T) {
		text := string(iscsitest.Join(unknown(400, 24)...))
		o := login(t, config(), part(text[:8192]), last(text[8192:]), iscsitest.Text("X-more=1"))
		o.breaks(t, "6.2", "before the request was complete")
	})
}

func TestChecklistTurns(t *testing.T) {
	t.Run("22 one request outstanding", func(t *testing.T) {
		patient := func(conn net.Conn, p *iscsi.PDU) error {
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				return err
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				return fmt.Errorf("a second request came before the response")
			}
			if err := conn.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			return iscsitest.Text(answers()...)(conn, p)
		}
		login(t, config(), patient).ok(t)
	})
	t.Run("23 response too long", func(t *testing.T) {
		step := pdu(func(b *[iscsi.BHSLen]byte) { b[0], b[6], b[7] = 0x23, 0x20, 0x01 })
		login(t, config(), step).breaks(t, "13.12", "8193 bytes, limit 8192")
	})
	t.Run("24 only login requests", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		// login itself fails on a request of any other kind.
		if o := login(t, cfg, iscsitest.Text(), iscsitest.Text(answers()...)); len(o.requests) != 2 {
			t.Errorf("%d requests", len(o.requests))
		}
	})
	t.Run("37 same ISID at every try", func(t *testing.T) {
		a, b := login(t, config(), iscsitest.Status(0x0301)), login(t, config(), iscsitest.Status(0x0301))
		if a.requests[0].ISID != b.requests[0].ISID || a.requests[0].TSIH != 0 || b.requests[0].TSIH != 0 {
			t.Error("the second try is another session")
		}
	})
}

func TestChecklistLimits(t *testing.T) {
	t.Run("too many exchanges", func(t *testing.T) {
		login(t, config(), slices.Repeat([]iscsitest.Step{stay()}, 16)...).breaks(t, "6.3", "operational stage not done after 16 exchanges")
	})
	t.Run("too many parts", func(t *testing.T) {
		login(t, config(), slices.Repeat([]iscsitest.Step{part("A")}, 32)...).breaks(t, "6.2", "more than 32 PDUs")
	})
	t.Run("too much text", func(t *testing.T) {
		big := part(strings.Repeat("A", 8192))
		login(t, config(), slices.Repeat([]iscsitest.Step{big}, 9)...).breaks(t, "6.2", "65536 bytes")
	})
	t.Run("too much text in the end", func(t *testing.T) {
		big := strings.Repeat("A", 8192)
		steps := append(slices.Repeat([]iscsitest.Step{part(big)}, 8), last(big))
		login(t, config(), steps...).breaks(t, "6.1", "text of 73728 bytes, limit 65536")
	})
}
