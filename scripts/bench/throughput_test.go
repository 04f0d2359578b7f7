package main

import (
	"errors"
	"strings"
	"testing"
)

// throughputConsole is cut from a console of the guest's.
const throughputConsole = `[    4.1] something of the kernel's
bench: value ours queue_depth 32
bench: value iscsistart queue_depth 16
bench: moved 1 iscsistart read 201326592 1.000000
bench: moved 1 ours read 201326592 0.500000
bench: moved 1 iscsistart write 201326592 1.000000
bench: moved 1 ours write 201326592 1.000000
bench: moved 1 iscsistart random 16384000 1.000000
bench: moved 1 ours random 16384000 2.000000
bench: end
[   50.2] reboot: Power down
`

func TestReadThroughput(t *testing.T) {
	got, err := readThroughput(strings.ReplaceAll(throughputConsole, "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]float64{"read": 2, "write": 1, "random": 0.5} {
		if r := got.Ratios[kind]; r.Median != want {
			t.Errorf("%s: ratio %v, want %v", kind, r, want)
		}
	}
	if got.Values[iscsistart]["queue_depth"] != "16" {
		t.Errorf("values %v", got.Values)
	}
	if table := got.table(); !strings.Contains(table, "201.327 (") || !strings.Contains(table, "ours: queue_depth=32") {
		t.Errorf("table:\n%s", table)
	}
}

func TestReadThroughputRefuses(t *testing.T) {
	for name, console := range map[string]string{
		"no end":        strings.ReplaceAll(throughputConsole, "bench: end", ""),
		"half a round":  strings.ReplaceAll(throughputConsole, "bench: moved 1 ours write", "bench: lost"),
		"nothing":       "bench: end\n",
		"no time":       strings.ReplaceAll(throughputConsole, "2.000000", "0.000000"),
		"what it says":  "bench: error open /dev/sdb: No such file or directory\n",
		"a cut console": throughputConsole[:len(throughputConsole)/2],
	} {
		if _, err := readThroughput(console); !errors.Is(err, errBoot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
