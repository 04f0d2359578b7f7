package main

import (
	"strings"
	"testing"
)

func TestFullIsAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		got, err := (&stage{options: options{full: asked}}).chosen()
		if err != nil {
			t.Fatal(err)
		}
		want := len(candidates)
		if asked {
			want += len(full)
		}
		if len(got) != want || got[0].name != ours {
			t.Errorf("full %v: %d initramfs, the first is %s; want %d", asked, len(got), got[0].name, want)
		}
	}
	if _, err := (&stage{options: options{only: []string{ours, "dracut"}}}).chosen(); err == nil {
		t.Error("dracut without full: no error")
	}
}

// Everyone is given the same names, address and root.
func TestLinesSayTheSame(t *testing.T) {
	for _, c := range full {
		for _, want := range []string{initiatorName, targetName, "10.77.0.1", "10.77.0.2", "255.255.255.0", "panic=-1", "quiet", "no_timer_check"} {
			if !strings.Contains(lines[c.name], want) || !strings.Contains(commandLine, want) {
				t.Errorf("%s: its command line or ours has no %s", c.name, want)
			}
		}
	}
}

func TestFullNeedsItsKernel(t *testing.T) {
	t.Setenv("ISCSIROOT_CACHE", t.TempDir())
	err := (&stage{}).makeInitrd(t.Context(), "dracut", nics[0], "")
	if err == nil || !strings.Contains(err.Error(), "bench-full") {
		t.Errorf("without a root to make it in: %v", err)
	}
}
