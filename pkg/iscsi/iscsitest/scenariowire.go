package iscsitest

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// timeout is how long a login waits for a silent target.
const timeout = 40 * time.Millisecond

// The steps of a login with mutual CHAP, which a scenario ends at any of them.
func wholeLogin() Script {
	return Script{
		Stay("AuthMethod=CHAP", "TargetPortalGroupTag=1"),
		Challenge(iscsi.SHA256, 1, []byte("a challenge of the target")),
		Prove(iscsi.SHA256, TargetUser, TargetSecret),
		Agree("TargetPortalGroupTag"),
	}
}

// closing: the connection ends, or the target is silent, at each PDU.
func closing() []Scenario {
	var all []Scenario
	ends := []struct {
		name, row, want string
		step            Step
		timeout         time.Duration
	}{
		{"closes", "2b: RST/FIN before/after each login PDU n", "closed", Close(), 0},
		{"resets", "2b: RST/FIN before/after each login PDU n", "closed", Reset(), 0},
		{"half a header", "2b: RST/FIN before/after each login PDU n", "closed", Raw(make([]byte, 20)), 0},
		{"silent", "2b: Response dropped", "silent", Silence(), timeout},
	}
	for n := range wholeLogin() {
		for _, e := range ends {
			all = append(all, Scenario{
				Name: e.name + " at request " + string(rune('1'+n)), Row: e.row, Mutual: true,
				Script: append(wholeLogin()[:n:n], e.step), Want: e.want, Timeout: e.timeout,
			})
		}
	}
	halfData := func(conn net.Conn, _ *iscsi.PDU) error {
		b := append([]byte{0x23, 0x87, 0, 0, 0, 0, 0, 100}, make([]byte, 60)...)
		_, err := conn.Write(b)
		return err
	}
	return append(all,
		Scenario{Name: "half the data", Row: "2b: RST/FIN before/after each login PDU n", Script: Script{halfData}, Want: "closed"},
		Scenario{Name: "byte by byte", Row: "2b: Slow login (1 B/s)", Script: Script{Slow(0, Agree())}, Want: "ok"},
		Scenario{Name: "too slow", Row: "2b: Slow login (1 B/s)", Script: Script{Slow(5*time.Millisecond, Agree())}, Want: "silent", Timeout: timeout},
		Scenario{Name: "endless", Row: "2b: Endless T=0 ping-pong", Script: slices.Repeat(Script{Stay()}, 16), Want: "protocol 6.3"},
		Scenario{Name: "endless in the security stage", Row: "2b: Endless T=0 ping-pong", Security: true, Script: slices.Repeat(Script{Stay()}, 16), Want: "protocol 6.3"},
		Scenario{Name: "endless after the proof", Row: "2b: Endless T=0 ping-pong", OneWay: true, Script: append(wholeLogin()[:2:2], slices.Repeat(Script{Stay()}, 14)...), Want: "protocol 6.3"},
	)
}

// headers: fields of a response's header.
func headers() []Scenario {
	bad := func(name, row, want string, step Step) Scenario {
		return Scenario{Name: name, Row: row, Script: Script{step}, Want: "protocol " + want}
	}
	opcode := func(op byte) Step { return bare(func(b *[48]byte) { b[0] = op }) }
	early := Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) { r.Transit, r.NSG = true, iscsi.StageFullFeature })
	withAHS := append([]byte{0x23, 0x87, 0, 0, 1}, make([]byte, 47)...)
	dirty := func(conn net.Conn, p *iscsi.PDU) error {
		// Padding may hold anything.
		return Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) { r.Data = Join(Agreement("TargetAlias=abc")...) })(padded{conn}, p)
	}
	return []Scenario{
		bad("SCSI response", "2b: Wrong opcode / Reject / Async during login", "11.13", opcode(0x21)),
		bad("unassigned opcode", "2b: Wrong opcode / Reject / Async during login", "11.13", opcode(0x2a)),
		bad("login request", "2b: Wrong opcode / Reject / Async during login", "11.13", opcode(0x43)),
		bad("reject", "2b: Wrong opcode / Reject / Async during login", "11.17", opcode(0x3f)),
		bad("async", "2b: Wrong opcode / Reject / Async during login", "6.3", opcode(0x32)),
		bad("NOP-In", "UNH: invalid PDU", "11.13", opcode(0x20)),
		bad("ITT", "2b: Bad ITT", "11.13", header(func(r *iscsi.LoginResponse) { r.ITT++ })),
		bad("reserved ITT", "2b: Bad ITT", "11.13", header(func(r *iscsi.LoginResponse) { r.ITT = noTag })),
		{Name: "StatSN jumps", Row: "2b: StatSN not +1", Script: Script{Stay(), header(func(r *iscsi.LoginResponse) { r.StatSN += 5 })}, Want: "ok", Warning: "StatSN is 6, expected 1"},
		{Name: "StatSN wraps", Row: "UNH: StatSN", Script: Script{header(func(r *iscsi.LoginResponse) { r.StatSN = 0xffffffff })}, Want: "ok"},
		bad("CSG", "2b: CSG mismatch / NSG <= CSG / NSG=2 / T without the initiator's T", "11.13", header(func(r *iscsi.LoginResponse) { r.CSG = 0 })),
		bad("NSG is CSG", "2b: CSG mismatch / NSG <= CSG / NSG=2 / T without the initiator's T", "11.13.6", header(func(r *iscsi.LoginResponse) { r.NSG = 1 })),
		bad("NSG 2", "2b: CSG mismatch / NSG <= CSG / NSG=2 / T without the initiator's T", "11.13.6", header(func(r *iscsi.LoginResponse) { r.NSG = 2 })),
		bad("NSG back", "UNH: T bit", "11.13.6", header(func(r *iscsi.LoginResponse) { r.NSG = 0 })),
		{Name: "T without the initiator's", Row: "2b: CSG mismatch / NSG <= CSG / NSG=2 / T without the initiator's T", Script: Script{Part("A"), early}, Want: "protocol 11.13.6"},
		{Name: "T before CHAP", Row: "UNH: T bit", OneWay: true, Script: Script{Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) { r.Transit, r.NSG = true, 1 })}, Want: "protocol 11.13.6"},
		{Name: "stage skipped", Row: "UNH: T bit", Security: true, Script: Script{header(func(r *iscsi.LoginResponse) { r.NSG = 3 })}, Want: "protocol 11.13.6"},
		bad("T and C", "2b: T=1 and C=1", "11.13.7", header(func(r *iscsi.LoginResponse) { r.Continue = true })),
		bad("AHS", "2b: Data > 8192 or wrong padding, AHS != 0", "11.13", Raw(withAHS)),
		bad("data of 8193", "2b: Data > 8192 or wrong padding, AHS != 0", "13.12", bare(func(b *[48]byte) { b[0], b[6], b[7] = 0x23, 0x20, 1 })),
		bad("data of 16 MiB", "2b: Data > 8192 or wrong padding, AHS != 0", "13.12", bare(func(b *[48]byte) { b[0], b[5], b[6], b[7] = 0x23, 255, 255, 255 })),
		{Name: "dirty padding", Row: "2b: Data > 8192 or wrong padding, AHS != 0", Script: Script{dirty}, Want: "ok"},
		bad("version", "2b: Version != 0", "11.13.2", header(func(r *iscsi.LoginResponse) { r.VersionActive = 1 })),
		{Name: "TSIH 0", Row: "UNH: TSIH", Script: Script{header(func(r *iscsi.LoginResponse) { r.TSIH = 0 })}, Want: "ok", Warning: "TSIH 0"},
		{Name: "TSIH early", Row: "UNH: TSIH", Script: Script{Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) { r.Transit, r.NSG, r.TSIH = false, 0, 9 }), Agree()}, Want: "ok"},
		{Name: "ISID of another", Row: "UNH: TSIH", Script: Script{header(func(r *iscsi.LoginResponse) { r.ISID[5]++ })}, Want: "ok", Warning: "ISID"},
	}
}

// padded fills the padding of what is written.
type padded struct{ net.Conn }

func (p padded) Write(b []byte) (int, error) {
	out := slices.Clone(b)
	n := int(b[5])<<16 | int(b[6])<<8 | int(b[7])
	for i := iscsi.BHSLen + n; i < len(out); i++ {
		out[i] = 0xee
	}
	return p.Conn.Write(out)
}

// texts: how a text is split and which bytes it has.
func texts() []Scenario {
	text := func(name, row, s, want string) Scenario {
		return Scenario{Name: name, Row: row, Script: Script{Last(s)}, Want: want}
	}
	const syntax = "2b: Key not NUL-terminated, no '=', duplicate key, 64-byte key, 256-byte value, unknown key, value Reject/Irrelevant/NotUnderstood"
	key63, big := "X"+strings.Repeat("y", 62), strings.Repeat("A", iscsi.LoginDataLen)
	answer := string(Join(Agreement()...))
	return []Scenario{
		{Name: "text in two parts", Row: "2b: C=1 partial text", Script: Script{Part(answer[:33]), Last(answer[33:]), Text()}, Want: "ok"},
		{Name: "text byte by byte", Row: "2b: C=1 partial text", Script: append(parts("TargetAlias=abcdefgh\x00"), Agree()), Want: "ok"},
		{Name: "empty part", Row: "UNH: C bit", Script: Script{Part(""), Last(answer), Text()}, Want: "ok"},
		{Name: "too many parts", Row: "UNH: C bit", Script: slices.Repeat(Script{Part("A")}, 32), Want: "protocol 6.2"},
		{Name: "too much text", Row: "UNH: C bit", Script: slices.Repeat(Script{Part(big)}, 9), Want: "protocol 6.2"},
		{Name: "part without an end", Row: "UNH: C bit", Script: Script{Part("A"), Last("B")}, Want: "protocol 6.1"},
		text("no NUL", syntax, "TargetAlias=a", "protocol 6.1"),
		text("no equals sign", syntax, "TargetAlias\x00", "protocol 6.1"),
		text("NUL only", syntax, "\x00", "protocol 6.1"),
		text("key of 64 bytes", syntax, key63+"y=1\x00", "protocol 6.1"),
		text("small key", "UNH: invalid keys", "target=1\x00", "protocol 6.1"),
		text("empty key", "UNH: invalid keys", "=1\x00", "protocol 6.1"),
		text("control in a key", "UNH: invalid keys", "A\x01B=1\x00", "protocol 6.1"),
		text("value of 256 bytes", syntax, "TargetAlias="+strings.Repeat("a", 256)+"\x00", "protocol 13.6"),
		{Name: "value of 255 bytes", Row: syntax, Script: Script{Agree("TargetAlias=" + strings.Repeat("a", 255))}, Want: "ok"},
		{Name: "key of 63 bytes", Row: syntax, Script: Script{Stay(Agreement(key63 + "=1")...), Text()}, Want: "ok"},
		{Name: "unknown key", Row: syntax, Script: Script{Stay(Agreement("X-com.example.key=1")...), Text()}, Want: "ok"},
		{Name: "unknown key at the end", Row: syntax, Script: Script{Agree("X-com.example.key=1")}, Want: "ok", Warning: "X-com.example.key"},
		{Name: "answer to nothing", Row: "UNH: invalid keys", Script: Script{Agree("X-a=NotUnderstood")}, Want: "protocol 6.2"},
		{Name: "key of the initiator", Row: "UNH: invalid keys", Script: Script{Agree("InitiatorName=iqn.a")}, Want: "protocol 13.5"},
		{Name: "declined", Row: syntax, Script: Script{Agree("MaxBurstLength=Reject")}, Want: "ok", Warning: "MaxBurstLength=Reject"},
		{Name: "irrelevant", Row: syntax, Script: Script{Agree("FirstBurstLength=Irrelevant")}, Want: "ok"},
		{Name: "not understood", Row: syntax, Script: Script{Agree("ImmediateData=NotUnderstood")}, Want: "ok", Warning: "ImmediateData=NotUnderstood"},
	}
}

// parts sends each byte of a text on its own.
func parts(text string) Script {
	var s Script
	for i := range len(text) - 1 {
		s = append(s, Part(text[i:i+1]))
	}
	return append(s, Last(text[len(text)-1:]))
}
