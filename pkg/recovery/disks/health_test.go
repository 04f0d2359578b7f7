package disks

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counters sets the disk's.
func (r *rig) counters(done, failed uint32, ended int) {
	r.write(map[string]string{
		unit + "/iodone_cnt":     fmt.Sprintf("0x%x\n", done),
		unit + "/ioerr_cnt":      fmt.Sprintf("0x%x\n", failed),
		unit + "/block/sda/stat": fmt.Sprintf("%d 0 0 0 50 0 0 0 0 0 0 0 0 0 0 3 0\n", ended),
	})
}

func TestOnlyErrors(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after counts
		want          bool
	}{
		{"nothing", counts{10, 5, 3}, counts{10, 5, 3}, false},
		{"errors", counts{10, 5, 3}, counts{20, 15, 3}, true},
		{"errors, the counters some apart", counts{1000, 5, 3}, counts{2010, 1006, 3}, true},
		{"many errors, the counters one in a hundred apart", counts{0, 0, 3}, counts{100_900, 100_000, 3}, true},
		{"some go well", counts{10, 5, 3}, counts{30, 15, 3}, false},
		{"errors that end requests", counts{10, 5, 3}, counts{20, 15, 4}, false},
		{"a wrap", counts{1<<32 - 5, 1<<32 - 8, 3}, counts{5, 2, 3}, true},
	} {
		if got := tt.after.onlyErrors(tt.before); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A disk all of whose commands end with errors is reported after half a minute and again at longer
// intervals, and so is its recovery; a session that is down, a command that was retried a few
// times, and an idle disk are not reported.
func TestHealth(t *testing.T) {
	var done, failed uint32
	var ended int
	type step struct {
		for_               time.Duration
		errors, well, ends int // each second
		down               bool
	}
	for _, tt := range []struct {
		name   string
		steps  []step
		log    string
		report string
	}{
		{"idle", []step{{for_: time.Hour}}, "", ""},
		{"works", []step{{for_: time.Hour, well: 100, ends: 100}}, "", ""},
		{"works, with errors", []step{{for_: time.Hour, errors: 2, well: 100, ends: 100}}, "", ""},
		{"a short trouble", []step{{for_: 20 * time.Second, errors: 1000}, {for_: time.Hour, well: 10, ends: 10}}, "", ""},
		{"the session is down", []step{{for_: time.Hour, errors: 1, down: true}}, "", ""},
		{
			"errors alone, and their end",
			[]step{{for_: time.Minute, well: 1, ends: 1}, {for_: 150 * time.Second, errors: 1000}, {for_: time.Hour, well: 1, ends: 1}},
			"for 30 s, for 90 s, works again after 130 s", "",
		},
		{"errors for good", []step{{for_: 100 * time.Second, errors: 300}}, "for 30 s", "errors-for 60"},
		{"down in the middle", []step{{for_: 70 * time.Second, errors: 5}, {for_: 5 * time.Minute, down: true}}, "for 30 s", "errors-for 330"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done, failed, ended = 1<<32-100, 1<<32-200, 7
				r := newRig(t)
				r.counters(done, failed, ended)
				k := r.keeper(Memory{})
				next := time.Duration(0)
				for _, s := range tt.steps {
					r.up = !s.down
					for range int(s.for_ / time.Second) {
						if now := k.now(); now >= next || now%surveyEvery == 0 {
							r.counters(done, failed, ended)
							next = now + surveyEvery
							if k.checkAll() {
								next = now + errorCheckInterval
							}
						}
						time.Sleep(time.Second)
						done, failed, ended = done+uint32(s.errors+s.well), failed+uint32(s.errors), ended+s.ends
					}
				}
				var parts []string
				for _, line := range r.log {
					if from := strings.LastIndex(line, "works again"); from >= 0 {
						parts = append(parts, line[from:])
					} else if _, rest, ok := strings.Cut(line, "with an error "); ok {
						length, _, _ := strings.Cut(rest, ": ")
						parts = append(parts, length)
					}
				}
				if got := strings.Join(parts, ", "); got != tt.log || len(parts) != len(r.log) {
					t.Errorf("logged %q", r.log)
				}
				if got := k.Report(); !strings.Contains(got, tt.report) || tt.report == "" && got != "" {
					t.Errorf("reports %q", got)
				}
			})
		})
	}
}

// The message names the disk, its meaning, and what to do.
func TestHealthText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper(Memory{})
		for i := range uint32(6) {
			r.counters(100*i, 100*i, 0)
			k.checkAll()
			time.Sleep(errorCheckInterval)
		}
		want := "session 1 to iqn.test:t: disk sda (LUN 1) has answered every command with an error for 30 s: programs wait, and the commands are sent again: " +
			"see the target's log for what is wrong with the LUN"
		if len(r.log) != 1 || r.log[0] != want || k.Report() != "session 1 disk sda errors-for 40\n" {
			t.Errorf("logged %q, reports %q", r.log, k.Report())
		}
	})
}

// A disk that is removed, and counters that cannot be read, are ignored.
func TestHealthWithoutCounters(t *testing.T) {
	r := newRig(t)
	k := r.keeper(Memory{})
	r.write(map[string]string{unit + "/ioerr_cnt": "many\n"})
	if k.checkAll() || len(k.health) != 0 {
		t.Error("garbage counts")
	}
	r.counters(1, 1, 1)
	if k.checkAll(); len(k.health) != 1 {
		t.Error("the disk is not looked at")
	}
	r.remove(unit + "/block")
	if k.checkAll() || len(k.health) != 1 {
		t.Error("a disk without a block device is looked at")
	}
	r.quiet()
}
