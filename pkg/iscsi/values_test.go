package iscsi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// TestSecretIsNeverSeen prints a secret with every verb of fmt and every encoder.
func TestSecretIsNeverSeen(t *testing.T) {
	s := iscsi.NewSecret([]byte("hunter22"))
	type holder struct {
		Public iscsi.Secret
		inner  iscsi.Secret
		inside []iscsi.Secret
		in     map[string]iscsi.Secret
		at     *iscsi.Secret
	}
	h := holder{s, s, []iscsi.Secret{s}, map[string]iscsi.Secret{"a": s}, &s}
	chap := iscsi.CHAP{User: "u", Secret: s, TargetSecret: s}
	var out strings.Builder
	for _, v := range []any{s, &s, h, &h, chap, &chap, []iscsi.Secret{s}, iscsi.LoginConfig{CHAP: &chap}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%U", "%c", "%t", "%e", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
	}
	b, err := json.Marshal(h)
	if err != nil || string(b) != `{"Public":"[redacted]"}` {
		t.Errorf("%s, %v", b, err)
	}
	out.WriteString(fmt.Sprint(io.EOF, s.String(), s.GoString()))
	for _, seen := range []string{"hunter22", fmt.Sprintf("%x", "hunter22"), fmt.Sprintf("%X", "hunter22"), "104 117", "[redacted!"} {
		if strings.Contains(out.String(), seen) {
			t.Errorf("the secret shows as %q", seen)
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that something was left out")
	}
}

func TestSecretWipe(t *testing.T) {
	b := []byte("hunter22")
	s := iscsi.NewSecret(b)
	again := s
	if !s.Equal(again) || !s.Equal(iscsi.NewSecret([]byte("hunter22"))) || s.Equal(iscsi.Secret{}) || s.Empty() {
		t.Error("equality")
	}
	again.Wipe()
	again.Wipe()
	iscsi.Secret{}.Wipe()
	if !slices.Equal(b, make([]byte, 8)) || !s.Empty() || s.Bytes() != nil {
		t.Errorf("%q is left", b)
	}
	if !iscsi.NewSecret(nil).Empty() || !cmp.Equal(iscsi.NewSecret([]byte("a")), iscsi.NewSecret([]byte("a"))) {
		t.Error("empty or equal")
	}
}

func TestParseSecret(t *testing.T) {
	good := map[string]string{
		"plain text of any sort=": "plain text of any sort=", "0x68656C6c6f": "hello", "0X0a": "\n", "0baGVsbG8=": "hello",
		"0": "0", strings.Repeat("a", 255): strings.Repeat("a", 255),
	}
	for s, want := range good {
		if got, err := iscsi.ParseSecret(s); err != nil || string(got.Bytes()) != want {
			t.Errorf("%s: %q, %v", s, got.Bytes(), err)
		}
	}
	bad := map[string]string{
		"": "secret: empty", "0x": "is empty", "0xhunter22": "a secret that begins with 0x or 0b is hex or base64",
		"0bserver": "is hex or base64", strings.Repeat("hunter22", 32): "256 bytes, limit 255",
	}
	for s, want := range bad {
		got, err := iscsi.ParseSecret(s)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter22") || !got.Empty() {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
}

func TestAlgorithm(t *testing.T) {
	want := []iscsi.Algorithm{iscsi.SHA3_256, iscsi.SHA256, iscsi.SHA1, iscsi.MD5}
	if !slices.Equal(iscsi.Algorithms(), want) {
		t.Errorf("%v", iscsi.Algorithms())
	}
	for s, want := range map[string]iscsi.Algorithm{"md5": 5, "SHA1": 6, "sha-1": 6, "SHA-256": 7, "sha256": 7, "SHA3-256": 8, "sha3256": 8} {
		if a, err := iscsi.ParseAlgorithm(s); err != nil || a != want {
			t.Errorf("%s: %v, %v", s, a, err)
		}
	}
	for _, a := range want {
		if b, err := iscsi.ParseAlgorithm(a.String()); err != nil || a != b {
			t.Errorf("%v: %v, %v", a, b, err)
		}
	}
	if _, err := iscsi.ParseAlgorithm("sha512"); err == nil || !strings.Contains(err.Error(), `CHAP algorithm "sha512": want MD5`) {
		t.Error(err)
	}
}

// TestLUN: the written forms, SAM-5's bytes and Linux's number.
func TestLUN(t *testing.T) {
	tests := []struct {
		in     string
		lun    iscsi.LUN
		kernel uint64
		print  string
	}{
		{"0", 0, 0, "0"},
		{"1", 0x0001 << 48, 1, "1"},
		{"0x1f", 0x001f << 48, 31, "31"},
		{"255", 0x00ff << 48, 255, "255"},
		{"256", 0x4100 << 48, 0x4100, "256"},
		{"0x3fff", 0x7fff << 48, 0x7fff, "16383"},
		{"65535", 0xffff << 48, 0xffff, "ffff-0000-0000-0000"},
		{"16640", 0x4100 << 48, 0x4100, "256"},                 // as lsscsi shows LUN 256
		{"16385", 0x4001 << 48, 0x4001, "4001-0000-0000-0000"}, // flat, though small enough not to be
		{"0x4100000000000000", 0x4100 << 48, 0x4100, "256"},    // as udev writes it
		{"4752-3A4F-6b7e-2F99", 0x47523a4f6b7e2f99, 0x2f996b7e3a4f4752, "4752-3a4f-6b7e-2f99"},
		{"6734-9-156f-127", 0x67340009156f0127, 0x0127156f00096734, "6734-0009-156f-0127"},
		{"4186-9", 0x4186000900000000, 0x94186, "4186-0009-0000-0000"},
		{"0100-0", 0x0100 << 48, 0x100, "0100-0000-0000-0000"}, // bus 1
	}
	for _, tt := range tests {
		l, err := iscsi.ParseLUN(tt.in)
		if err != nil || l != tt.lun || l.Kernel() != tt.kernel || l.String() != tt.print || iscsi.KernelLUN(tt.kernel) != l {
			t.Errorf("%s: %016x, kernel %#x, prints %s, %v", tt.in, uint64(l), l.Kernel(), l, err)
		}
		if again, err := iscsi.ParseLUN(l.String()); err != nil || again != l {
			t.Errorf("%s printed as %s gave %v, %v", tt.in, l, again, err)
		}
	}
	if b := iscsi.MakeLUN(300).Bytes(); b != [8]byte{0x41, 0x2c} {
		t.Errorf("%x", b)
	}
	for _, s := range []string{"", "-1", "-", "01", "1.5", "65536", "0x10000", "0xzz", "0x41000000000000zz", "1-2-3-4-5", "1--2", "12345-1", "1-+2", "LUN0"} {
		if l, err := iscsi.ParseLUN(s); err == nil || !strings.Contains(err.Error(), "LUN ") {
			t.Errorf("%q gave %v, %v", s, l, err)
		}
	}
	for s, want := range map[string]iscsi.LUN{"": 0, "0": 0, "10": 0x0010 << 48, "ff": 0x00ff << 48, "100": 0x4100 << 48, "4186-9": 0x4186000900000000} {
		if l, err := iscsi.ParseHexLUN(s); err != nil || l != want {
			t.Errorf("%q gave %v, %v", s, l, err)
		}
	}
}

func TestLUNNumber(t *testing.T) {
	for l, want := range map[iscsi.LUN]int{0: 0, iscsi.MakeLUN(255): 255, iscsi.MakeLUN(256): 256, 0x4001 << 48: 1, 0x0100 << 48: -1, 0x8000 << 48: -1, 0x0001000100000000: -1} {
		n, ok := l.Number()
		if ok != (want >= 0) || ok && int(n) != want {
			t.Errorf("%v: %d, %v", l, n, ok)
		}
	}
}

func TestDigestPolicy(t *testing.T) {
	got := fmt.Sprint(iscsi.NoDigest, " ", iscsi.PreferDigest, " ", iscsi.RequireDigest, " ", iscsi.AcceptDigest, " ", iscsi.DigestPolicy(7))
	if got != "None CRC32C,None CRC32C None,CRC32C digest policy 7" {
		t.Error(got)
	}
	if !errors.Is(&iscsi.AlgorithmsError{Err: io.EOF}, io.EOF) {
		t.Error("AlgorithmsError hides its cause")
	}
}
