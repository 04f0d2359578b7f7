package maps

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Map is a multipath map as it is now.
type Map struct {
	Name     string // in device-mapper
	ID       multipath.ID
	Number   table.Number
	Size     int64 // bytes
	ReadOnly bool
	Queue    bool   // I/O waits while no path works; without it the I/O fails
	Groups   []byte // their states: 'A' in use, 'E' enabled, 'D' disabled
	Paths    []Path // group by group

	table table.Table
	open  bool // a file system, a program or another device uses it
}

// Path is a path of a map as it is now.
type Path struct {
	// Path is what sysfs has about the disk; only its Number is set if there is none any more.
	// Its Target is not set.
	multipath.Path
	Session  uint32 // the kernel's session id; 0 of a disk that is of no session
	Group    int    // from 0
	Failed   bool
	Failures uint32 // how often it has failed since the map has its table
}

// Gone reports whether all disks of the map are gone, as after the LUN was deleted.
func (mp *Map) Gone() bool {
	return !slices.ContainsFunc(mp.Paths, func(p Path) bool { return p.Disk != "" })
}

// values returns the map without its state.
func (mp *Map) values() multipath.Map {
	var paths []multipath.Path
	for _, p := range mp.Paths {
		paths = append(paths, p.Path)
	}
	return multipath.Map{ID: mp.ID, Size: mp.Size}.Regroup(paths)
}

// List returns the multipath maps, those also that this package has not made. With an error it
// returns those that could be read; it is the first one's.
func (m *Maps) List() ([]Map, error) {
	c, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("list multipath maps: %w", err)
	}
	defer func() { _ = c.Close() }()
	entries, err := c.List()
	if err != nil {
		return nil, fmt.Errorf("list multipath maps: %w", err)
	}
	var out []Map
	var failed error
	for _, e := range entries {
		mp, err := m.state(c, e.Name)
		switch {
		case errors.Is(err, errNoMap), errors.Is(err, unix.ENXIO): // another device, or it is removed
		case err != nil:
			failed = cmp.Or(failed, fmt.Errorf("list multipath maps: %s: %w", e.Name, err))
		default:
			out = append(out, mp)
		}
	}
	return out, failed
}

var errNoMap = errors.New("not a multipath map")

// state returns a map as it is.
func (m *Maps) state(c Mapper, name string) (Map, error) {
	info, err := c.Info(name)
	if err != nil {
		return Map{}, err
	}
	id, part, ok := multipath.ParseUUID(info.UUID)
	if !ok || part > 0 || !info.Active {
		return Map{}, errNoMap
	}
	mp := Map{Name: name, ID: id, Number: info.Number, ReadOnly: info.ReadOnly, open: info.Open > 0}
	if mp.table, err = c.Table(name); err != nil {
		return Map{}, err
	}
	t := multipathOf(mp.table)
	if t == nil {
		return Map{}, errNoMap
	}
	mp.Size, mp.Queue = int64(mp.table.Sectors())*table.SectorSize, t.Queue
	lines, err := c.Status(name)
	if err != nil {
		return Map{}, err
	}
	return mp, m.addStatus(&mp, lines)
}

// addStatus adds the states of the paths.
func (m *Maps) addStatus(mp *Map, lines []dm.Status) error {
	if len(lines) != 1 {
		return errNoMap
	}
	s, err := table.ParseMultipathStatus(lines[0].Text)
	if err != nil {
		return err
	}
	for i, g := range s.Groups {
		mp.Groups = append(mp.Groups, g.State)
		for _, p := range g.Paths {
			mp.Paths = append(mp.Paths, m.path(i, p))
		}
	}
	return nil
}

// path adds to the state of a path what sysfs has about its disk.
func (m *Maps) path(group int, s table.PathStatus) Path {
	p := Path{Path: multipath.Path{Number: s.Number}, Group: group, Failed: s.Failed, Failures: s.Failures}
	if d, err := m.deviceOf(s.Number); err == nil {
		p.Path = m.facts(d)
		if d.LUN != nil {
			p.Session = d.LUN.Session
		}
	}
	return p
}
