package agent

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// newPaths makes the keeper of the multipath maps, for newWorker.
func (w *worker) newPaths() *paths.Keeper {
	return paths.New(paths.Config{
		Sys: "/sys", Maps: machineMaps(), Allow: func() []multipath.ID { return w.state.WWIDs }, Sessions: w.pathSessions,
		Others: func() bool { return disks.DaemonRuns("/proc") },
		Read:   paths.ReadSector("/dev"), Listen: paths.Listen(w.log), MirrorTimeout: w.state.MirrorTimeout, Covered: w.covered,
		Changed: w.pathsChanged, Past: w.state.Paths, Log: w.log,
	})
}

// machineMaps are the maps of this machine.
func machineMaps() *maps.Maps { return &maps.Maps{Sys: "/sys", Dev: "/dev", Open: openMapper} }

// workingMaps lists the maps that have a path which works.
func workingMaps() (out []blockdev.Number) {
	all, _ := machineMaps().List() // with an error those that could be read: the keeper logs it
	for _, m := range all {
		if slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return !p.Failed }) {
			out = append(out, blockdev.Number(m.Number))
		}
	}
	return out
}

func openMapper() (maps.Mapper, error) {
	c, err := dm.Open(nil)
	if err != nil {
		return nil, err // not a typed nil
	}
	return c, nil
}

// pathSessions lists the sessions for the keeper of the maps.
func (w *worker) pathSessions() []paths.Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []paths.Session
	for _, s := range w.sessions {
		out = append(out, s)
	}
	return out
}

// pathsChanged saves the state of the maps, and the timers of sessions whose disks have become
// paths. A member of an array may be back with the map that it is on, and a disk that has joined is
// to have the retries of a path.
func (w *worker) pathsChanged() {
	w.disksChanged()
	w.disks.Wake()
	w.repairs.Wake()
}

// withoutPaths returns the states of the sessions whose disks are no paths of a map: those that are
// ended so that a mirror goes on. The caller holds mu.
func (w *worker) withoutPaths(all []recovery.Status) []recovery.Status {
	isPath := map[uint32]bool{}
	for _, s := range w.sessions {
		isPath[s.SID] = s.IsPath()
	}
	var out []recovery.Status
	for _, s := range all {
		if !isPath[s.SID] {
			out = append(out, s)
		}
	}
	return out
}
