package mirrors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// refresher counts the calls.
type refresher struct {
	disks [][]string
	err   error
}

func (r *refresher) Refresh(disks []*blockdev.Device) (bool, error) {
	var names []string
	for _, d := range disks {
		names = append(names, d.Name)
	}
	r.disks = append(r.disks, names)
	return r.err == nil, r.err
}

// Each arrival of a disk has all disks looked at, until that succeeds; those of a session that is
// down are not read.
func TestRepairer(t *testing.T) {
	a := newArrays(t)
	one := &refresher{}
	changed := 0
	r := NewRepairer(RepairConfig{Sys: a.sys, Refreshers: []Refresher{one}, Changed: func() { changed++ }, Log: a})
	steps := []struct {
		what string
		all  []recovery.Status
		err  error
		want string // the calls; empty: none
		ok   bool
	}{
		{"the first look", []recovery.Status{{SID: 1, Up: true}, {SID: 2}}, nil, "[[sda]]", true},
		{"nothing new", []recovery.Status{{SID: 1, Up: true}, {SID: 2}}, nil, "[]", true},
		{"a disk comes", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true}}, errors.New("busy"), "[[sda sdb]]", false},
		{"once more", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true}}, errors.New("busy"), "[[sda sdb]]", false},
		{"again", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true}}, nil, "[[sda sdb]]", true},
		{"done", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true}}, nil, "[]", true},
		{"after an outage", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true, Outages: 1}}, nil, "[[sda sdb]]", true},
		{"a volume comes", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true, Outages: 1}}, nil, "[[sda sdb]]", true},
		{"a disk goes", []recovery.Status{{SID: 1, Up: true}}, nil, "[]", true},
		{"and comes", []recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: true, Outages: 1}}, nil, "[[sda sdb]]", true},
	}
	for _, s := range steps {
		one.disks, one.err = nil, s.err
		if s.what == "a volume comes" {
			a.volume("0", "", false)
		}
		r.Update(s.all)
		if ok := r.check(); ok != s.ok || fmt.Sprint(one.disks) != s.want {
			t.Errorf("%s: %v, looked at %v, want %s", s.what, ok, one.disks, s.want)
		}
	}
	if changed != 5 || !slices.Equal(a.log, []string{"mirrors: busy"}) {
		t.Errorf("changed %d times, log %q", changed, a.log)
	}
}

// A multipath map stands in the place of its paths, once, while one works and a session is up. Its
// partition is one that came.
func TestRepairerOfMaps(t *testing.T) {
	a := newArrays(t)
	a.paths()
	one := &refresher{}
	var working []blockdev.Number
	r := NewRepairer(RepairConfig{
		Sys: a.sys, Refreshers: []Refresher{one}, Changed: func() {}, Log: a,
		Working: func() []blockdev.Number { return working },
	})
	works := []blockdev.Number{{Major: 252, Minor: 5}}
	for _, s := range []struct {
		what    string
		working []blockdev.Number
		up      []bool // of the paths' sessions
		want    string
	}{
		{"both paths", works, []bool{true, true}, "[[sda dm-5]]"},
		{"one session is down", works, []bool{true, false}, "[]"},
		{"and up", works, []bool{true, true}, "[[sda dm-5]]"},
		{"no path works", nil, []bool{true, true}, "[]"},
		{"one works again", works, []bool{true, true}, "[[sda dm-5]]"},
	} {
		one.disks, working = nil, s.working
		r.Update([]recovery.Status{{SID: 1, Up: true}, {SID: 2, Up: s.up[0]}, {SID: 3, Up: s.up[1]}})
		if r.check(); fmt.Sprint(one.disks) != s.want {
			t.Errorf("%s: looked at %v, want %s", s.what, one.disks, s.want)
		}
	}
	if _, arrivals := r.disks(); !slices.Contains(arrivals, arrival{2, 0, blockdev.Number{Major: 252, Minor: 6}}) {
		t.Errorf("%v", arrivals)
	}
}

// Wakes that follow each other closely do not put the check off.
func TestRepairerWakes(t *testing.T) {
	a := newArrays(t)
	synctest.Test(t, func(t *testing.T) {
		one := &refresher{}
		r := NewRepairer(RepairConfig{Sys: a.sys, Refreshers: []Refresher{one}, Changed: func() {}, Log: a})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		for range 10 {
			r.Update([]recovery.Status{{SID: 1, Up: true}})
			time.Sleep(repairSettles / 2)
		}
		cancel()
		<-ended
		if len(one.disks) != 1 {
			t.Errorf("looked %d times", len(one.disks))
		}
	})
}
