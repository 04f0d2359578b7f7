package procstat

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// line writes a value as the kernel does.
func line(s Stat) string {
	return fmt.Sprintf("7 (%s) %c %d 7 7 0 -1 %d 1 2 3 4 5 6 7 8 20 0 1 0 99 1000 %d 18446744073709551615 0\n", s.Comm, s.State, s.Parent, s.Flags, s.Pages)
}

func TestParse(t *testing.T) {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	s, ok := Parse(string(b))
	if !ok || s.Parent != os.Getppid() || s.Pages <= 0 || s.Stopped() || s.Ended() || s.Kernel() {
		t.Errorf("this process is %+v, %v", s, ok)
	}
	for _, want := range []Stat{
		{"a) Z (b", 'T', 1, 0x400040, 12}, {"a\n) S", 't', 1, 0, 1}, {"kthreadd", 'S', 0, 0x208040, 0}, {"", 'Z', 1, 0x4, 0},
	} {
		got, ok := Parse(line(want))
		if !ok || got != want || got.Stopped() != (want.State == 'T' || want.State == 't') || got.Ended() != (want.State == 'Z') || got.Kernel() != (want.Comm == "kthreadd") {
			t.Errorf("%q is %+v, %v", line(want), got, ok)
		}
	}
	whole := line(Stat{"x", 'S', 1, 0, 0})
	for _, bad := range []string{"", "7 x S 1", ")(", "7 (x)", strings.Replace(whole, " S ", " SS ", 1), strings.Replace(whole, " S ", " \xca ", 1), strings.Replace(whole, " 0 -1 0 ", " 0 -1 y ", 1), whole[:20]} {
		if s, ok := Parse(bad); ok {
			t.Errorf("%q is %+v", bad, s)
		}
	}
}

// FuzzParse: what is read is read again from what is written of it.
func FuzzParse(f *testing.F) {
	f.Add(line(Stat{"a) Z (b", 'T', 1, 0x400040, 12}))
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := Parse(text); ok {
			if again, ok := Parse(line(s)); !ok || again != s {
				t.Errorf("%+v becomes %+v, %v", s, again, ok)
			}
		}
	})
}
