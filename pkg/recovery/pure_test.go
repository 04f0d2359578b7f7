package recovery

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestRedial(t *testing.T) {
	tests := []struct{ outage, least, most time.Duration }{
		{0, 400 * time.Millisecond, 600 * time.Millisecond},
		{59 * time.Second, 400 * time.Millisecond, 600 * time.Millisecond},
		{time.Minute, 800 * time.Millisecond, 1200 * time.Millisecond},
		{11*time.Minute - 1, 800 * time.Millisecond, 1200 * time.Millisecond},
		{11 * time.Minute, 4 * time.Second, 6 * time.Second},
		{30 * time.Hour, 4 * time.Second, 6 * time.Second},
	}
	for _, tt := range tests {
		if got := redialPause(tt.outage, 0); got != tt.least {
			t.Errorf("after %v at the least: %v, want %v", tt.outage, got, tt.least)
		}
		if got := redialPause(tt.outage, 1); got != tt.most {
			t.Errorf("after %v at the most: %v, want %v", tt.outage, got, tt.most)
		}
	}
}

func TestReports(t *testing.T) {
	want := []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute}
	var got []time.Duration
	for last := time.Duration(-1); len(got) < len(want); last = got[len(got)-1] {
		got = append(got, NextReport(last))
	}
	if !slices.Equal(got, want) {
		t.Errorf("reports at %v, want %v", got, want)
	}
	if got := NextReport(6 * time.Minute); got != 10*time.Minute {
		t.Errorf("after a late report: %v", got)
	}
}

func TestListeners(t *testing.T) {
	b, err := os.ReadFile("testdata/proc-net-netlink")
	if err != nil {
		t.Fatal(err)
	}
	if got := listeners(string(b), 311); !slices.Equal(got, []uint32{842}) {
		t.Errorf("listeners %v", got)
	}
	if got := parseListeners(string(b)); !slices.Equal(got, []listener{{842, 4608}, {311, 0}}) {
		t.Errorf("listeners %v", got)
	}
	if got := listeners(string(b), 0); !slices.Equal(got, []uint32{842, 311}) {
		t.Errorf("listeners with our own %v", got)
	}
}

func FuzzListeners(f *testing.F) {
	b, err := os.ReadFile("testdata/proc-net-netlink")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b), uint32(311))
	f.Add("x 8 1 1", uint32(0))
	f.Fuzz(func(t *testing.T, text string, own uint32) {
		if slices.Contains(listeners(text, own), own) {
			t.Error("our own socket counts as another program's")
		}
	})
}

func TestOwnership(t *testing.T) {
	type step struct {
		at      time.Duration
		ids     []uint32
		changed bool
		other   bool
		pending bool
	}
	tests := map[string][]step{
		"iscsid comes, goes and comes": {
			{0, nil, false, false, false},
			{10 * time.Second, []uint32{7}, false, false, true},
			{12 * time.Second, []uint32{7}, true, true, true},
			{20 * time.Second, nil, false, true, true},
			{22 * time.Second, nil, false, true, true},
			{23 * time.Second, nil, true, false, false},
			{30 * time.Second, []uint32{9}, false, false, true},
			{32 * time.Second, []uint32{9}, true, true, true},
		},
		"iscsid is restarted": {
			{0, []uint32{7}, false, false, true},
			{2 * time.Second, []uint32{7}, true, true, true},
			{3 * time.Second, nil, false, true, true},
			{4 * time.Second, []uint32{8}, false, true, true},
			{9 * time.Second, []uint32{8}, false, true, true},
		},
		"iscsiadm listens twice": {
			{0, []uint32{7}, false, false, true},
			{time.Second, nil, false, false, false},
			{2 * time.Second, []uint32{8}, false, false, true},
			{3 * time.Second, nil, false, false, false},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var o ownership
			for _, s := range steps {
				changed := o.observe(s.at, s.ids)
				if changed != s.changed || o.other != s.other || o.pending() != s.pending {
					t.Errorf("at %v: changed %v, other %v, pending %v", s.at, changed, o.other, o.pending())
				}
			}
		})
	}
}
