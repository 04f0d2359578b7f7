package table

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// kernelMap is a map as the kernel has printed it; what it is of is in testdata.
type kernelMap struct{ title, params, status string }

func kernelMaps(t testing.TB) []kernelMap {
	t.Helper()
	b, err := os.ReadFile("testdata/multipath-6.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []kernelMap
	for line := range strings.Lines(string(b)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "map":
			out = append(out, kernelMap{title: rest})
		case "table":
			out[len(out)-1].params = rest
		case "status":
			out[len(out)-1].status = rest
		}
	}
	return out
}

// brief is a state of paths, as "A 8:0 F1 8:16 A0".
func brief(s MultipathStatus) string {
	var out []string
	for _, g := range s.Groups {
		out = append(out, string(g.State))
		for _, p := range g.Paths {
			state := "A"
			if p.Failed {
				state = "F"
			}
			out = append(out, p.Number.String(), state+strconv.FormatUint(uint64(p.Failures), 10))
		}
	}
	return strings.Join(out, " ")
}

// The maps that a kernel has printed, with what they are: whether I/O waits, the first group and
// all groups; the state; and whether Params is the kernel's text, as it is for what this package
// makes.
func TestMultipathOfKernel(t *testing.T) {
	one, two := []PathGroup{{[]Number{{8, 0}}}}, []PathGroup{{[]Number{{8, 0}, {8, 16}}}}
	groups := []PathGroup{{[]Number{{8, 0}}}, {[]Number{{8, 16}}}}
	want := map[string]struct {
		table  Multipath
		status string
		ours   bool
	}{
		"one path":                 {Multipath{true, one, 1}, "E 8:0 A0", true},
		"not queueing":             {Multipath{false, one, 1}, "A 8:0 A0", true},
		"not queueing, failed":     {Multipath{false, one, 1}, "A 8:0 F1", true},
		"two paths":                {Multipath{true, two, 1}, "A 8:0 A0 8:16 A0", true},
		"two paths, one failed":    {Multipath{true, two, 1}, "A 8:0 F1 8:16 A0", true},
		"two paths, both failed":   {Multipath{true, two, 1}, "A 8:0 F1 8:16 F1", true},
		"fail_if_no_path":          {Multipath{false, two, 1}, "A 8:0 F1 8:16 F1", true},
		"reinstated":               {Multipath{true, two, 1}, "A 8:0 F1 8:16 A1", true},
		"two groups":               {Multipath{true, groups, 1}, "A 8:0 A0 E 8:16 A0", true},
		"two groups, disabled":     {Multipath{true, groups, 1}, "E 8:0 A1 D 8:16 A0", true},
		"two groups, switched":     {Multipath{true, groups, 2}, "E 8:0 F2 E 8:16 A0", true},
		"as multipathd":            {Multipath{true, groups, 1}, "A 8:0 A0 E 8:16 A0", false},
		"as multipathd, one group": {Multipath{true, two, 1}, "E 8:0 A0 8:16 A0", false},
		"round-robin":              {Multipath{false, two, 1}, "E 8:0 A0 8:16 A0", false},
		"queue-length":             {Multipath{false, two, 1}, "E 8:0 A0 8:16 A0", false},
		"all paths taken out":      {Multipath{true, nil, 0}, "", true},
	}
	maps := kernelMaps(t)
	if len(maps) != len(want) {
		t.Errorf("%d maps, not %d", len(maps), len(want))
	}
	for _, m := range maps {
		w, known := want[m.title]
		got, err := Parse("multipath", m.params)
		if err != nil || !known || !reflect.DeepEqual(got, &w.table) {
			t.Errorf("%s: %+v, %v, want %+v", m.title, got, err, w.table)
			continue
		}
		if (got.Params() == m.params) != w.ours {
			t.Errorf("%s: written as %q, not %q", m.title, got.Params(), m.params)
		}
		if s, err := ParseMultipathStatus(m.status); err != nil || brief(s) != w.status {
			t.Errorf("%s: %q, %v, want %q", m.title, brief(s), err, w.status)
		}
	}
}

func TestParseMultipathStatusErrors(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"", "too short"},
		{"2 0", "2 are not there"},
		{"2 0 0 0 1 1 X 0 1 2 8:0 A 0 0 1", `group "X"`},
		{"2 0 0 0 1 1 AE 0 1 2 8:0 A 0 0 1", `group "AE"`},
		{"2 0 0 0 1 1 A 0 1 2 8:0 D 0 0 1", `path "D"`},
		{"2 0 0 0 1 1 A 0 1 2 sda A 0 0 1", `device "sda"`},
		{"2 0 0 0 1 1 A 0 1 2 8:0 A -1 0 1", "invalid syntax"},
		{"2 0 0 0 1 1 A 0 2 2 8:0 A 0 0 1", "too short"},
		{"2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1", "too short"},
		{"2 0 0 0 1 1 A 0 1 2 8:0 A 0 0 1 1", "behind the end"},
		{"2 0 0 0 4294967295 1 A", "out of range"},
	} {
		if s, err := ParseMultipathStatus(c.text); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: %+v, %v, want an error with %q", c.text, s, err, c.why)
		}
	}
}

// A status that is read is written, and read as the same.
func FuzzParseMultipathStatus(f *testing.F) {
	for _, m := range kernelMaps(f) {
		f.Add(m.status)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseMultipathStatus(text)
		if err != nil {
			return
		}
		var w words
		w.word("2 0 0 0")
		w.number(uint64(len(s.Groups)))
		w.number(1)
		for _, g := range s.Groups {
			w.word(string(g.State))
			w.number(0)
			w.number(uint64(len(g.Paths)))
			w.number(0)
			for _, p := range g.Paths {
				w.dev(p.Number)
				if p.Failed {
					w.word("F")
				} else {
					w.word("A")
				}
				w.number(uint64(p.Failures))
			}
		}
		if again, err := ParseMultipathStatus(w.String()); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%q: %+v is read as %+v, %v", text, s, again, err)
		}
	})
}
