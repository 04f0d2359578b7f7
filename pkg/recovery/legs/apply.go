package legs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// apply takes the legs of a raid back that return.
func (s *scan) apply(r *raid) error {
	var names []string
	for _, d := range append(r.returning(), r.device) {
		names = append(names, d.name)
	}
	if err := s.note(names); err != nil {
		return err
	}
	e := &edit{scan: s}
	err := s.noteMissing(r)
	if err == nil {
		err = e.prepare(r)
	}
	if err == nil {
		err = s.m.Exchange(e.changes)
	}
	if err != nil {
		e.undo()
	}
	if err = errors.Join(err, s.finished(s.m, names)); err != nil {
		return fmt.Errorf("take back legs of raid %s: %w", r.Name, err)
	}
	for _, i := range r.back {
		s.Log.Infof("volumes: %s: leg %d is in use again: the kernel writes to it what it has missed", r.Name, i)
	}
	return nil
}

// note names the devices that are being changed.
func (r *Refresher) note(names []string) error {
	return os.WriteFile(r.Note, []byte(strings.Join(names, "\n")+"\n"), 0o600)
}

// finished removes the note if none of its devices is suspended. Otherwise the next Refresh resumes
// them.
func (r *Refresher) finished(m Mapper, names []string) error {
	for _, name := range names {
		info, err := m.Info(name)
		switch {
		case errors.Is(err, unix.ENXIO): // it was not made
		case err != nil:
			return err
		case info.Suspended:
			return fmt.Errorf("dm device %s is suspended", name)
		}
	}
	return os.Remove(r.Note)
}

// noteMissing has the kernel note in the superblocks that a leg is missing, which it does with
// their next change only: a suspended raid is a clean one (drivers/md/md.c: md_stop_writes). A
// table with the leg that was made before would take it for one that has missed nothing.
func (s *scan) noteMissing(r *raid) error {
	if !r.unnoted {
		return nil
	}
	if err := s.m.Exchange([]dm.Change{r.change(true)}); err != nil {
		return err
	}
	r.unnoted = false
	for _, i := range r.back {
		if err := s.partOf(r, i); err != nil {
			return err
		}
	}
	if r.unnoted {
		return errors.New("the kernel has not noted that a leg is missing")
	}
	return nil
}

// change goes back to the table in use.
func (d *device) change(hold bool) dm.Change {
	c := dm.Change{Name: d.name, Old: d.now, ReadOnly: d.info.ReadOnly, Hold: hold}
	if d.Hidden {
		c.Udev = dm.Hidden
	}
	return c
}

// returning are the devices of the legs that return, the lowest first.
func (r *raid) returning() (out []*device) {
	for _, i := range r.back {
		out = append(out, r.under(i)...)
	}
	return out
}

// edit is the change of a raid.
type edit struct {
	*scan
	made    []string // devices that were not there
	changes []dm.Change
}

// prepare makes the devices that are missing, and loads the tables of those that change. The
// devices in use are not touched.
func (e *edit) prepare(r *raid) error {
	made := map[string]table.Number{}
	for _, d := range r.below {
		made[d.Name] = d.info.Number
	}
	for _, d := range r.returning() {
		var err error
		if d.want, err = e.tableOf(d.Volume, made); err != nil {
			return err
		}
		switch {
		case !d.there:
			d.info, err = e.m.Activate(d.name, d.UUID, d.want, dm.Hidden, 0)
			if err == nil {
				e.made = append(e.made, d.name)
				made[d.Name] = d.info.Number
			}
		case d.now.String() != d.want.String():
			err = e.load(d, d.want, false)
		}
		if err != nil {
			return err
		}
	}
	t, changed := r.with()
	if !changed {
		t = nil
	}
	err := e.load(r.device, t, true)
	e.changes[len(e.changes)-1].Last = r.without()
	return err
}

// load loads a table, which may be nil: the device keeps its own.
func (e *edit) load(d *device, t table.Table, hold bool) error {
	c := d.change(hold)
	e.changes = append(e.changes, c)
	if t == nil {
		return nil
	}
	var o dm.Option
	if c.ReadOnly {
		o = dm.ReadOnly
	}
	return e.m.Load(d.name, t, o)
}

// with returns the raid's table with its missing legs, if some of them return. What was to be
// rebuilt when the raid was made is noted in its superblocks.
func (r *raid) with() (t table.Table, changed bool) {
	target := *r.target
	target.Legs = slices.Clone(target.Legs)
	target.Sync, target.NoSync, target.Rebuild = false, false, nil
	for _, i := range r.back {
		if target.Legs[i].Data == nil {
			l := r.legs[i]
			target.Legs[i] = table.Leg{Meta: &l.meta.info.Number, Data: &l.data.info.Number}
			changed = true
		}
	}
	line := r.now[0]
	line.Target = &target
	return table.Table{line}, changed
}

// without returns the raid's table without the legs that return; nil if it has no other.
func (r *raid) without() table.Table {
	target := *r.target
	target.Legs = slices.Clone(target.Legs)
	target.Sync, target.NoSync, target.Rebuild = false, false, nil
	for _, i := range r.back {
		target.Legs[i] = table.Leg{}
	}
	line := r.now[0]
	line.Target = &target
	t := table.Table{line}
	if t.Validate() != nil {
		return nil
	}
	return t
}

// undo drops the tables that are loaded, and removes what was made. A device that has become part
// of the raid in spite of an error stays.
func (e *edit) undo() {
	for _, c := range e.changes {
		_ = e.m.Clear(c.Name)
	}
	for _, name := range slices.Backward(e.made) {
		_ = e.m.Remove(name, 0)
	}
}

// Resume ends what an earlier Refresh has not, because its process ended or a device could not be
// resumed: root may stand on the devices that it has suspended. Without one it does nothing.
func (r *Refresher) Resume() error {
	b, err := os.ReadFile(r.Note)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	m, err := r.Open()
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	names := strings.Fields(string(b))
	suspended := slices.ContainsFunc(names, func(name string) bool {
		info, err := m.Info(name)
		return err == nil && info.Suspended
	})
	var errs []error
	for _, name := range names {
		info, err := m.Info(name)
		switch {
		case err != nil: // it was not made yet
		case !suspended && info.Inactive:
			errs = append(errs, m.Clear(name))
		case suspended && (info.Suspended || info.Inactive):
			r.Log.Warnf("volumes: dm device %s is still suspended after a change: resuming it", name)
			var udev dm.Udev
			if name != names[len(names)-1] {
				udev = dm.Hidden
			}
			_, err := m.Resume(name, udev, dm.NoFlush|dm.SkipLockFS)
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, r.finished(m, names))...)
}
