package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const console = `
bench: available 431532
bench: run 1.834120
bench: log 1.880003 iscsiroot: plan: iscsi_lun not given
bench: log 1.884120 iscsiroot: step modules done in 0.003 s
bench: log 2.634120 iscsiroot: step network done in 0.750 s
bench: real 3.034120
bench: end
[    3.1] reboot: Power down
`

func TestReadBoot(t *testing.T) {
	b, err := readBoot(console)
	if err != nil {
		t.Fatal(err)
	}
	if b.Run != 1.83412 || b.Real != 3.03412 || b.Available != 431532 || len(b.log) != 3 {
		t.Errorf("read %+v", b)
	}
}

func TestReadBootIncomplete(t *testing.T) {
	for _, text := range []string{
		"", "Kernel panic - not syncing: Attempted to kill init!",
		"bench: run 1.5\nbench: real 2.0\nbench: available 9\n",             // cut off
		"bench: real 2.0\nbench: available 9\nbench: end\n",                 // no /init
		"bench: run 2.5\nbench: real 2.0\nbench: available 9\nbench: end\n", // backwards
		"bench: run 1.5\nbench: real 2.0\nbench: end\n",
	} {
		if b, err := readBoot(text); !errors.Is(err, errBoot) {
			t.Errorf("%q: %+v, %v", text, b, err)
		}
	}
}

func TestReadSteps(t *testing.T) {
	b, err := readBoot(console)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := readSteps(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{{"start", 0, 0.045883}, {"modules", 0.047, 0.05}, {"network", 0.05, 0.8}, {"to the real init", 0.8, 1.2}}
	if d := cmp.Diff(want, steps, nearly); d != "" {
		t.Error(d)
	}
	b = Boot{Run: 1, Real: 2, log: []Record{{1.1, "bench: step start"}, {1.5, "bench: step nic"}}}
	if steps, err = readSteps(b); err != nil {
		t.Fatal(err)
	}
	want = []Step{{"start", 0, 0.1}, {"nic", 0.1, 0.5}, {"to the real init", 0.5, 1}}
	if d := cmp.Diff(want, steps, nearly); d != "" {
		t.Error(d)
	}
	if steps, err := readSteps(Boot{Run: 1, Real: 2}); steps != nil || err != nil {
		t.Errorf("without a log: %v %v", steps, err)
	}
}

var nearly = cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })

func TestModuleTime(t *testing.T) {
	for _, tt := range []struct {
		text string
		want float64
	}{
		{"iscsiroot: modules took 0.210 s of the processor,iscsiroot: step fs-modules done in 0.2 s,iscsiroot: modules took 0.430 s of the processor", 0.43},
		{"bench: step fs,bench: modules 0.412 s", 0.412},
		{"bench: step fs", 0},
	} {
		var b Boot
		for line := range strings.SplitSeq(tt.text, ",") {
			b.log = append(b.log, Record{Text: line})
		}
		if got, err := moduleTime(b); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v", tt.text, got, err)
		}
	}
	if got, err := moduleTime(Boot{log: []Record{{Text: "bench: modules 0.4.1 s"}}}); err == nil {
		t.Errorf("no number: %v", got)
	}
}
