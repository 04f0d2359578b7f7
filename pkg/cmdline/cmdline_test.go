package cmdline_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       cmdline.Line
	}{
		{"empty", "", cmdline.Line{}},
		{"blanks only", " \t\n", cmdline.Line{}},
		{"flag and value", "quiet root=/dev/sda2", line(p("quiet", 0), v("root", "/dev/sda2", 6))},
		{"empty value", "rd.break=", line(v("rd.break", "", 0))},
		{"equals in value", "root=LABEL=a=b", line(v("root", "LABEL=a=b", 0))},
		{"repeated keys keep order", "a=1 a=2 a", line(v("a", "1", 0), v("a", "2", 4), p("a", 8))},
		{"quoted value", `root="LABEL=my disk" ro`, line(v("root", "LABEL=my disk", 0), p("ro", 21))},
		{"quoted word", `"dyndbg=file a +p" x`, line(v("dyndbg", "file a +p", 0), p("x", 19))},
		{"quote inside value stays", `a=b"c d"e f`, line(v("a", `b"c d"e`, 0), p("f", 10))},
		{"open quote runs to the end", `a="b c`, line(v("a", "b c", 0))},
		{"backslash escapes nothing", `a=\"b c`, line(v("a", `\"b c`, 0))},
		{"no-break space splits", "a\xa0b", line(p("a", 0), p("b", 2))},
		{"dashes", "a -- single root=/dev/x", cmdline.Line{
			Params: []cmdline.Param{p("a", 0)}, InitArgs: []string{"single", "root=/dev/x"},
		}},
		{"second dashes belong to init", `-- "a b" -- c`, cmdline.Line{InitArgs: []string{"a b", "--", "c"}}},
		{"dashes with value are a word", "--=x", line(v("--", "x", 0))},
		{"trailing newline", "a\n", line(p("a", 0))},
		{"only quotes", `""`, line(p("", 0))},
		{"no key", "=v", line(p("=v", 0))},
		{"no key, two equals", "=v=w", line(v("=v", "w", 0))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, cmdline.Parse(tt.text)); diff != "" {
				t.Errorf("Parse(%q) -want +got:\n%s", tt.text, diff)
			}
		})
	}
}

// The HOWTO's line as PXELINUX hands it over with IPAPPEND 3.
func TestParseCaptured(t *testing.T) {
	b, err := os.ReadFile("testdata/seed.cmdline")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range cmdline.Parse(string(b)).Params {
		got[p.Key] = p.Value
	}
	want := map[string]string{
		"BOOT_IMAGE": "remote/vmlinuz",
		"initrd":     "remote/initrd.img",
		"iscsi_i":    "iqn.2007-01.com.example:server.remote1",
		"iscsi_i_ip": "10.1.1.165/255.255.255.192",
		"iscsi_t":    "iqn.2007-01.com.example:storage.remote1",
		"iscsi_a":    "10.1.1.180",
		"ip":         "10.1.1.165:10.1.1.1:10.1.1.1:255.255.255.192",
		"BOOTIF":     "01-52-54-00-aa-bb-01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	if got := cmdline.Limits("quiet root=/dev/sda2", nil); got != nil {
		t.Errorf("short line: %q", got)
	}
	long := cmdline.Limits(strings.Repeat("x", cmdline.MaxLength), nil)
	if len(long) != 1 || !strings.Contains(long[0], "cut off") {
		t.Errorf("long line: %q", long)
	}
	words := strings.Repeat("iscsi_i=a ", cmdline.MaxEnv+1)
	if got := cmdline.Limits(words, nil); len(got) != 1 || !strings.Contains(got[0], "31 undotted") {
		t.Errorf("31 words: %q", got)
	}
	if got := cmdline.Limits(words, func(string) bool { return true }); got != nil {
		t.Errorf("31 words of the kernel: %q", got)
	}
	dotted := strings.Repeat("rd.iscsiroot.initiator=a ", cmdline.MaxEnv+1)
	if got := cmdline.Limits(dotted, nil); got != nil {
		t.Errorf("dotted words: %q", got)
	}
}

// The law: what Parse made, String writes so that Parse makes it again, if no quote is left inside
// a word.
func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile("testdata/seed.cmdline")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(seed), `a="b c" -- d "e f"`, `"a=b c"`, "a\xa0b", `a=b"c d"e`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := cmdline.Parse(text)
		var words []string
		for _, p := range l.Params {
			if p.Pos < 0 || p.Pos >= len(text) {
				t.Fatalf("Pos %d outside of %q", p.Pos, text)
			}
			if strings.Contains(p.Key+p.Value, `"`) || strings.HasPrefix(p.Key, "=") || p.Key == "" {
				return
			}
			words = append(words, p.String())
		}
		again := cmdline.Parse(strings.Join(words, " ")).Params
		if len(again) != len(l.Params) {
			t.Fatalf("%q: %d words, again %d", text, len(l.Params), len(again))
		}
		for i := range again {
			a, b := again[i], l.Params[i]
			if a.Key != b.Key || a.Value != b.Value || a.HasValue != b.HasValue {
				t.Fatalf("%q: word %d: %+v, again %+v", text, i, b, a)
			}
		}
	})
}

func p(key string, pos int) cmdline.Param { return cmdline.Param{Key: key, Pos: pos} }

func v(key, value string, pos int) cmdline.Param {
	return cmdline.Param{Key: key, Value: value, HasValue: true, Pos: pos}
}

func line(params ...cmdline.Param) cmdline.Line { return cmdline.Line{Params: params} }

func TestKernelKnows(t *testing.T) {
	for key, want := range map[string]bool{"root": true, "console": true, "initrd": true, "BOOT_IMAGE": false, "BOOTIF": false, "ip": false, "iscsi_i": false} {
		if got := cmdline.KernelKnows(key); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}
