package dm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// machine is as much of device-mapper as an exchange sees.
type machine struct {
	devices map[string]*state
	seen    []string
	fail    map[int]bool // the numbers of the commands that fail, from 0
}

type state struct {
	used, loaded string
	suspended    bool
}

func (m *machine) answer(command uint, b []byte) error {
	h, data, _ := unmarshal(b)
	d := m.devices[h.name]
	n := len(m.seen)
	op := map[uint]string{unix.DM_TABLE_CLEAR: "clear", unix.DM_TABLE_LOAD: "load", unix.DM_DEV_SUSPEND: "resume"}[command]
	if command == unix.DM_DEV_SUSPEND && h.flags&unix.DM_SUSPEND_FLAG != 0 {
		op = "suspend"
	}
	m.seen = append(m.seen, op+" "+h.name)
	if command == unix.DM_DEV_SUSPEND && Option(h.flags)&(NoFlush|SkipLockFS) != NoFlush|SkipLockFS {
		return unix.EDEADLK
	}
	switch {
	case m.fail[n] && op == "resume" && d.loaded != "": // the new table is in use, and refuses
		d.used, d.loaded, d.suspended = d.loaded, "", true
		return unix.EIO
	case m.fail[n]:
		return unix.EIO
	case op == "suspend":
		d.suspended = true
	case op == "clear":
		d.loaded = ""
	case op == "load":
		d.loaded = cString(data[specLen:])
	case op == "resume":
		if d.loaded != "" {
			d.used, d.loaded = d.loaded, ""
		}
		d.suspended = false
	}
	return nil
}

// onto is the table of a device on a disk.
func onto(minor uint32) table.Table {
	return table.Table{{Start: 0, Length: 8, Target: table.Linear{Dev: ram(minor)}}}
}

const oldParams, newParams = "1:1 0", "1:2 0"

// mirror is a raid on two legs, one of which has a new table.
func mirror() (*machine, []Change) {
	m := &machine{devices: map[string]*state{
		"meta": {used: oldParams, loaded: newParams}, "data": {used: oldParams, loaded: newParams}, "raid": {used: oldParams, loaded: newParams},
	}}
	return m, []Change{{Name: "meta", Old: onto(1), Udev: Hidden}, {Name: "data", Old: onto(1), Udev: Hidden, Hold: true}, {Name: "raid", Old: onto(1), Hold: true}}
}

func TestExchangeOrder(t *testing.T) {
	m, changes := mirror()
	if err := fake(m.answer).Exchange(changes); err != nil {
		t.Fatal(err)
	}
	want := []string{"suspend raid", "suspend data", "resume meta", "resume data", "resume raid"}
	if !slices.Equal(m.seen, want) {
		t.Errorf("commands %q, want %q", m.seen, want)
	}
	for name, d := range m.devices {
		if *d != (state{used: newParams}) {
			t.Errorf("%s: %+v", name, *d)
		}
	}
}

// Whichever command fails, and also if the first of the way back fails with it, no device stays
// suspended and none has a table that a later resume would make the one in use.
func TestExchangeErrors(t *testing.T) {
	for n := range 5 {
		for _, both := range []bool{false, true} {
			m, changes := mirror()
			m.fail = map[int]bool{n: true, n + 1: both}
			err := fake(m.answer).Exchange(changes)
			if err == nil || !strings.Contains(err.Error(), "exchange table of dm device ") {
				t.Errorf("command %d: %v", n, err)
			}
			failed := false
			for _, name := range []string{"meta", "data", "raid"} {
				d := *m.devices[name]
				failed = failed || slices.Index(m.seen, "resume "+name) == n
				want := state{used: newParams}
				if failed || n < 2 {
					want = state{used: oldParams}
				}
				if both && n >= 2 && slices.Index(m.seen, "resume "+name) == n {
					want = state{used: newParams} // not even the old table could be loaded
				}
				if n < 2 && both {
					d.loaded = "" // its clear may be what failed
				}
				if d != want {
					t.Errorf("command %d, both %v: %s: %+v, want %+v, after %q", n, both, name, d, want, m.seen)
				}
			}
		}
	}
}

// A device that goes on with neither the new nor the old table has the last one then.
func TestExchangeLast(t *testing.T) {
	m, changes := mirror()
	changes[2].Last = onto(3)
	m.fail = map[int]bool{4: true, 5: true, 6: true} // resume, load of the old table, resume
	if err := fake(m.answer).Exchange(changes); err == nil {
		t.Error("no error")
	}
	if d := *m.devices["raid"]; d != (state{used: "1:3 0"}) {
		t.Errorf("%+v, after %q", d, m.seen)
	}
}

// Between the first suspend and the last resume no memory is taken.
func TestExchangeAllocates(t *testing.T) {
	_, changes := mirror()
	for _, fails := range []bool{false, true} {
		x := exchange{ioctl: func(command uint, _ []byte) error {
			if fails && command == unix.DM_DEV_SUSPEND {
				return unix.EIO
			}
			return nil
		}}
		for _, one := range changes {
			s, err := newStep(one)
			if err != nil {
				t.Fatal(err)
			}
			x.steps = append(x.steps, s)
		}
		if n := testing.AllocsPerRun(10, x.run); n != 0 {
			t.Errorf("fails %v: %v allocations", fails, n)
		}
	}
}

func TestExchangeRefuses(t *testing.T) {
	untouched := fake(func(command uint, _ []byte) error { panic(command) })
	for _, c := range []Change{{Name: "a/b", Old: onto(1)}, {Name: "a"}} {
		if err := untouched.Exchange([]Change{c}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("dm device %s: ", c.Name)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
