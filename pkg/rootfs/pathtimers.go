package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// All LUNs of a session have its timers. Where one is a path of a map, I/O fails as soon as the
// session is lost: its other LUNs have maps too, which hold the I/O back.

// useAsPath sets the timers of a session whose disk has become a path: its I/O is to fail
// immediately, and goes to another path.
func (st *Storage) useAsPath(p *place) {
	if err := st.Sessions.UseAsPath(p.session); err != nil {
		st.Log.Warnf("session %d: timers of a path: %v", st.Sessions.List()[p.session].SID, err)
	}
}

// useAsDisk sets the timers of a session whose disk is used without a map: its I/O is to wait. A
// session that has maps keeps its timers.
func (st *Storage) useAsDisk(p *place) {
	sid := st.Sessions.List()[p.session].SID
	if st.Sessions.IsPath(p.session) && slices.ContainsFunc(st.places, func(q *place) bool { return q.session == p.session && q.mapped() }) {
		st.Log.Warnf("%s: its I/O fails as soon as session %d is lost: another LUN of it is a path of a multipath map", p.Disk, sid)
		return
	}
	if err := st.Sessions.UseAsDisk(p.session); err != nil {
		st.Log.Warnf("session %d: timers of a disk: %v", sid, err)
	}
}

// mapped reports whether a disk is a path of a map.
func (p *place) mapped() bool { return p.unit != nil && p.unit.Kind == blockdev.KindMultipath }

var errNoName = errors.New("it has no WWID of its own")

// mapOthers makes maps of one path of the other LUNs that are used of sessions that become paths.
// Those that are new get theirs in join.
func (st *Storage) mapOthers(ctx context.Context, all []*place) error {
	for _, p := range st.places {
		becomes := slices.ContainsFunc(all, func(q *place) bool { return q.session == p.session && q.LUN != p.LUN })
		if !becomes || st.Sessions.IsPath(p.session) {
			continue
		}
		var err error
		switch {
		case p.ID == "" || p.Size == 0:
			err = errNoName
		case p.unit != nil && !p.mapped() && p.unit.Name == p.Disk: // otherwise another one is used for it
			err = st.mapOne(ctx, p)
		}
		if err != nil {
			return fmt.Errorf("lun %v of %s cannot have a multipath map: %w", iscsi.KernelLUN(p.LUN), p.Target, err)
		}
	}
	return nil
}

// mapOne makes a map of a disk that is used so far. The map takes its place.
func (st *Storage) mapOne(ctx context.Context, p *place) error {
	if err := st.active.Deactivate(ctx, p.unit.Name); err != nil {
		return err
	}
	d, err := st.Maps().Make(ctx, multipath.Map{ID: p.ID}.With(p.Path))
	if err != nil {
		return err
	}
	*p.unit = *d
	st.Log.Infof("multipath map %s has the path %s", d.Map, p.Disk)
	return nil
}
