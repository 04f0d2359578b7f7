package bootspec_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

var update = flag.Bool("update", false, "write testdata/forms")

// The forms of all dialects and the plans that they make: a line of parameters behind "> ", then
// Explain's lines except the defaults, then errors behind "! " and warnings behind "? ". Behind ">
// [iBFT] " the firmware's table is the one in pkg/ibft from iPXE.
func TestForms(t *testing.T) {
	const path = "testdata/forms"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cases := 0
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "> "):
			cases++
			out.WriteString(line)
			out.WriteString(form(strings.TrimSuffix(line[2:], "\n")))
			out.WriteByte('\n')
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		}
	}
	if cases < 60 {
		t.Errorf("%d cases", cases)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(b), out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// form returns the text of one line's plan.
func form(text string) string {
	var b strings.Builder
	var table *ibft.Table
	if line, ok := strings.CutPrefix(text, "[iBFT] "); ok {
		text, table = line, ipxeTable()
	}
	plan, err := bootspec.ParseWith(cmdline.Parse(text), table)
	plan.UUID = "uuid-of-the-machine"
	for _, line := range plan.Explain() {
		if !strings.HasSuffix(line, "(default)") {
			b.WriteString(line + "\n")
		}
	}
	_, warnings, more := plan.Preview(plan.Net.Facts())
	for _, e := range []error{err, more} {
		if e != nil {
			b.WriteString("! " + strings.ReplaceAll(e.Error(), "\n", "\n! ") + "\n")
		}
	}
	for _, w := range append(plan.Warnings, warnings...) {
		b.WriteString("? " + w + "\n")
	}
	return b.String()
}

// ipxeTable is what iPXE has left once.
func ipxeTable() *ibft.Table {
	b, err := os.ReadFile("../ibft/testdata/ipxe-chap.bin")
	if err != nil {
		panic(err)
	}
	t, err := ibft.Parse(b)
	if err != nil {
		panic(err)
	}
	return &t
}
