package words

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// What fmt.Appendf writes is read back.
func TestRead(t *testing.T) {
	var (
		plain, quoted, empty string
		yes                  bool
		n                    int
		d                    time.Duration
		small                uint32
		large                uint64
	)
	line := fmt.Sprintf("%s %q %q %t %d %d %d  %d", "2:0:0:1", "a \"b\"\n", "", true, -1, int64(time.Hour), uint32(math.MaxUint32), uint64(math.MaxUint64))
	if err := Read(line, &plain, &quoted, &empty, &yes, &n, &d, &small, &large); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %q %q %t %d %d %d  %d", plain, quoted, empty, yes, n, d, small, large); got != line {
		t.Errorf("read %s of %s", got, line)
	}
}

func TestReadRefuses(t *testing.T) {
	for line, to := range map[string]any{
		"": new(int), "x": new(int), "1 2": new(int), "maybe": new(bool), `"x`: new(string), "-1": new(uint32), "4294967296": new(uint32),
		"1.5": new(time.Duration), "18446744073709551616": new(uint64), "1": new(float64), `x"`: new(string), " ": new(string),
	} {
		if err := Read(line, to); err == nil {
			t.Errorf("%q is taken for %T", line, to)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a b", true, int64(-1))
	f.Fuzz(func(t *testing.T, text string, b bool, n int64) {
		var gotText string
		var gotB bool
		var gotN time.Duration
		err := Read(fmt.Sprintf("%q %t %d", text, b, n), &gotText, &gotB, &gotN)
		if err != nil || gotText != text || gotB != b || int64(gotN) != n {
			t.Errorf("%q %t %d: read %q %t %d, %v", text, b, n, gotText, gotB, gotN, err)
		}
		_ = Read(text, &gotText, &gotB, &gotN)
	})
}

// What a terminal obeys, and what is not UTF-8, is quoted; the rest stands as it is.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a b": "a b", "ä": "ä", "": `""`, `"a"`: `"\"a\""`, "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "\xff": `"\xff"`, "\u009b2J": `"\u009b2J"`,
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// No control character gets through to a terminal, of one byte or of two.
func TestMask(t *testing.T) {
	for text, want := range map[string]string{"a\tb ä": "a\tb ä", "\x1b[2J\x7f": "?[2J?", "a\u009b1m\u0080\u00a0": "a?1m?\u00a0", "a\nb\r": "a?b?"} {
		if got := Mask(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
