package iscsitest

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// auth is the outcome of an AuthError.
func auth(r iscsi.AuthReason) string { return Outcome(&iscsi.AuthError{Reason: r}) }

// methods: answers to AuthMethod.
func methods() []Scenario {
	const row = "UNH: AuthMethod"
	chap := func(name, want string, pairs ...string) Scenario {
		return Scenario{Name: name, Row: row, OneWay: true, Script: Script{Stay(pairs...)}, Want: want}
	}
	return []Scenario{
		chap("method None", auth(iscsi.AuthNone), "AuthMethod=None"),
		chap("method rejected", auth(iscsi.AuthNone), "AuthMethod=Reject"),
		chap("method not understood", auth(iscsi.AuthNone), "AuthMethod=NotUnderstood"),
		chap("method not answered", auth(iscsi.AuthSkipped)),
		chap("method of another kind", "protocol 12.1", "AuthMethod=KRB5"),
		chap("method as a list", "protocol 12.1", "AuthMethod=CHAP,None"),
		chap("method in small letters", "protocol 12.1", "AuthMethod=chap"),
		{Name: "CHAP though None was offered", Row: row, Security: true, Script: Script{Stay("AuthMethod=CHAP")}, Want: "protocol 12.1"},
		{Name: "authentication wanted", Row: row, Script: Script{Status(0x0201)}, Want: "status 0201"},
		{Name: "operational key in the security stage", Row: row, Security: true, Script: Script{Stay("AuthMethod=None", "InitialR2T=No")}, Want: "protocol 6.3"},
		{Name: "security key in the operational stage", Row: row, Script: Script{Agree("AuthMethod=None")}, Want: "protocol 6.3"},
	}
}

// chapQuestions: CHAP_A, CHAP_I and CHAP_C.
func chapQuestions() []Scenario {
	ask := func(name, row, want string, pairs ...string) Scenario {
		return Scenario{Name: name, Row: "UNH: CHAP values " + row, OneWay: true, Script: Script{Stay("AuthMethod=CHAP"), Stay(pairs...)}, Want: want}
	}
	const a, i, c = "CHAP_A=5", "CHAP_I=1", "CHAP_C=0x000102030405060708090a0b0c0d0e0f"
	bad, order, algorithm := auth(iscsi.AuthMalformed), auth(iscsi.AuthOrder), auth(iscsi.AuthAlgorithm)
	hex := func(n int) string { return "CHAP_C=0x" + strings.Repeat("5a", n) }
	all := []Scenario{
		ask("algorithm that was not offered", "invalid", algorithm, "CHAP_A=4", i, c),
		ask("algorithm 0", "invalid", algorithm, "CHAP_A=0", i, c),
		ask("algorithm 256", "too big", bad, "CHAP_A=256", i, c),
		ask("algorithm as a word", "invalid", bad, "CHAP_A=MD5", i, c),
		ask("algorithms as a list", "invalid", bad, "CHAP_A=5,6", i, c),
		ask("algorithm rejected", "invalid", algorithm, "CHAP_A=Reject"),
		ask("no algorithm", "out of order", bad, i, c),
		ask("no challenge at all", "out of order", auth(iscsi.AuthSkipped)),
		ask("no id", "out of order", bad, a, c),
		ask("no challenge", "out of order", bad, a, i),
		ask("id 256", "too big", bad, a, "CHAP_I=256", c),
		ask("id -1", "too small", bad, a, "CHAP_I=-1", c),
		ask("id in many bytes", "too big", bad, a, "CHAP_I=0x0100000000000000000", c),
		ask("empty id", "too small", bad, a, "CHAP_I=", c),
		ask("empty challenge", "too small", bad, a, i, "CHAP_C=0x"),
		ask("challenge of 1025 bytes", "too big", bad, a, i, hex(1025)),
		ask("challenge in no form", "invalid", bad, a, i, "CHAP_C=abcdef"),
		ask("challenge of odd letters", "invalid", bad, a, i, "CHAP_C=0xgg"),
		ask("challenge in bad base64", "invalid", bad, a, i, "CHAP_C=0bA==="),
		ask("proof first", "out of order", order, a, i, c, "CHAP_N=a", "CHAP_R=0x00"),
		ask("id twice", "out of order", order, a, i, i, c),
	}
	for name, value := range map[string]string{
		"challenge of 1024 bytes": hex(1024), "challenge in base64": "CHAP_C=0bAAECAwQFBgcICQoLDA0ODw==", "challenge with a big X": "CHAP_C=0X" + strings.Repeat("Ab", 16),
	} {
		all = append(all, Scenario{Name: name, Row: "UNH: CHAP values valid", OneWay: true, Script: Script{Stay("AuthMethod=CHAP"), Stay(a, i, value), Text(), Agree()}, Want: "ok"})
	}
	for _, n := range []int{1, 7} {
		all = append(all, ask(fmt.Sprintf("challenge of %d bytes", n), "too small", auth(iscsi.AuthChallenge), a, i, hex(n)))
	}
	for _, n := range []int{8, 15} {
		all = append(all, Scenario{Name: fmt.Sprintf("challenge of %d bytes", n), Row: "UNH: CHAP values too small", OneWay: true, Script: Script{Stay("AuthMethod=CHAP"), Stay(a, i, hex(n)), Text(), Agree()}, Want: "ok", Warning: fmt.Sprintf("%d bytes only", n)})
	}
	return append(all,
		Scenario{Name: "challenge with the method", Row: "UNH: CHAP values out of order", OneWay: true, Script: Script{Stay("AuthMethod=CHAP", a, i, c)}, Want: order},
		Scenario{Name: "challenge without CHAP", Row: "UNH: CHAP values out of order", Security: true, Script: Script{Stay("AuthMethod=None", a, i, c)}, Want: order},
		Scenario{Name: "challenge in the operational stage", Row: "UNH: CHAP values out of order", Script: Script{Agree(a)}, Want: "protocol 6.3"},
	)
}

// chapProofs: CHAP_N and CHAP_R of the target.
func chapProofs() []Scenario {
	const alg = iscsi.SHA256
	proof := func(name, row string, mutual bool, want string, step Step) Scenario {
		return Scenario{Name: name, Row: "UNH: CHAP values " + row, OneWay: !mutual, Mutual: mutual, Script: append(wholeLogin()[:2:2], step), Want: want}
	}
	bad, order := auth(iscsi.AuthMalformed), auth(iscsi.AuthOrder)
	n, r := "CHAP_N="+TargetUser, "CHAP_R=0x"+strings.Repeat("00", 32)
	echo := Login(func(q *iscsi.LoginRequest, a *iscsi.LoginResponse) { a.Data = q.Data })
	return []Scenario{
		{Name: "both proofs", Row: "UNH: CHAP values valid", Mutual: true, Script: wholeLogin(), Want: "ok"},
		{Name: "one proof", Row: "UNH: CHAP values valid", OneWay: true, Script: append(wholeLogin()[:2:2], Text(), Agree()), Want: "ok"},
		{Name: "stays after the proofs", Row: "UNH: CHAP values valid", OneWay: true, Script: append(wholeLogin()[:2:2], Stay(), Text(), Agree()), Want: "ok"},
		proof("wrong secret", "invalid", true, auth(iscsi.AuthTargetResponse), Prove(alg, TargetUser, "guess")),
		proof("another name", "invalid", true, auth(iscsi.AuthTargetUser), Prove(alg, "other", TargetSecret)),
		proof("the initiator's secret", "reflected", true, auth(iscsi.AuthReflected), Prove(alg, TargetUser, Secret)),
		proof("the initiator's keys", "reflected", true, order, echo),
		proof("no proof", "out of order", true, auth(iscsi.AuthTargetSilent), Text()),
		proof("proof put off", "out of order", true, auth(iscsi.AuthTargetSilent), Stay()),
		proof("no name", "out of order", true, bad, Text(r)),
		proof("name only", "out of order", true, bad, Text(n)),
		proof("proof not asked for", "out of order", false, order, Text(n, r)),
		proof("proof twice", "out of order", true, order, Text(n, r, r)),
		proof("response too small", "too small", true, bad, Text(n, "CHAP_R=0x"+strings.Repeat("00", 31))),
		proof("response too big", "too big", true, bad, Text(n, r+"00")),
		proof("response of 1025 bytes", "too big", true, bad, Text(n, "CHAP_R=0x"+strings.Repeat("00", 1025))),
		proof("empty response", "too small", true, bad, Text(n, "CHAP_R=0x")),
		proof("response in no form", "invalid", true, bad, Text(n, "CHAP_R=00")),
		proof("0201 to the response", "invalid", true, "status 0201", Status(0x0201)),
	}
}
