package legs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// moving returns the linear and striped volumes of a group that are members of md arrays and stand
// on disks that have gone, whose physical volumes are on others now. The error is of those that
// cannot get their new table yet, or not at all.
func (s *scan) moving(g *lvm.Group) (out []*device, err error) {
	var errs []error
	for i := range g.VG.LVs {
		lv := &g.VG.LVs[i]
		if lv.Hidden() || !s.active(g.VG.Name, lv.Name) {
			continue
		}
		plan, err := g.Plan(lv.Name, lvm.Options{})
		if err != nil || len(plan) != 1 || len(plan[0].Modules) > 0 {
			continue // a physical volume is missing, or it is of another kind
		}
		d, err := s.moves(g, plan[0])
		switch {
		case err != nil:
			errs = append(errs, s.later(fmt.Errorf("volume %s: %w", plan[0].Name, err)))
		case d != nil:
			out = append(out, d)
		}
	}
	return out, errors.Join(errs...)
}

// moves returns a volume's device if it is to get its new table; nil: it is not. It may be on md
// arrays only, each of which has given it up: the kernel compares the superblock of a member when
// it gets it back, and not while the array has it.
func (s *scan) moves(g *lvm.Group, v lvm.Volume) (*device, error) {
	d, err := s.live(v)
	if err != nil || !d.there {
		return nil, err
	}
	if d.want, err = s.tableOf(v, nil); err != nil {
		return nil, err
	}
	moved, err := s.moved(d)
	if errors.Is(err, errLayout) && !slices.ContainsFunc(standsOn(d.now), s.gone) {
		return nil, nil // lvm2 is to load its new table: no disk has changed
	}
	if err != nil || !moved {
		return nil, err
	}
	node := fmt.Sprintf("dm-%d", d.info.Number.Minor) // drivers/md/dm.c: alloc_dev
	holders, _ := os.ReadDir(filepath.Join(s.Sys, "class/block", node, "holders"))
	if d.info.Open != len(holders) {
		return nil, nil
	}
	for _, h := range holders {
		flags, err := os.ReadFile(filepath.Join(s.Sys, "class/block", h.Name(), "md/dev-"+node, "state"))
		if err != nil {
			return nil, nil // it is no array
		}
		if !slices.Contains(strings.Split(strings.TrimSpace(string(flags)), ","), "faulty") {
			return nil, fmt.Errorf("%s stands on a disk that has gone, and array %s has not noticed that yet: %w", d.name, h.Name(), unix.EWOULDBLOCK)
		}
	}
	return d, s.current(g, []*device{d})
}

// move has a volume stand on the disk that its physical volume is on now.
func (s *scan) move(d *device) error {
	names := []string{d.name}
	if err := s.note(names); err != nil {
		return err
	}
	e := &edit{scan: s}
	err := e.load(d, d.want, false)
	if err == nil {
		err = s.m.Exchange(e.changes)
	}
	if err != nil {
		e.undo()
	}
	if err = errors.Join(err, s.finished(s.m, names)); err != nil {
		return fmt.Errorf("have volume %s stand on its new disk: %w", d.Name, err)
	}
	s.Log.Infof("volumes: %s stands on the new disk of its physical volume", d.Name)
	return nil
}
