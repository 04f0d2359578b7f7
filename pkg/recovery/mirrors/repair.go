package mirrors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// Refresher takes disks back into what lacks them: md arrays, or raids of LVM. The disks are all
// that can be read now. It may wait for I/O of them. After an error it is called again.
type Refresher interface {
	Refresh(disks []*blockdev.Device) (changed bool, err error)
}

// RepairConfig configures a Repairer.
type RepairConfig struct {
	Sys        string // where sysfs is mounted
	Refreshers []Refresher
	// Working lists the multipath maps that have a path which works: the others may hold a read
	// back. It is called if a disk is a path.
	Working func() []blockdev.Number
	Changed func() // is called after something was taken back
	Log     Logger
}

// Repairer has disks taken back that came: those of a new session, of one that was logged in again,
// and of one that was missing when the machine started. It reads disks, which may block, and so
// runs apart from the Keeper.
type Repairer struct {
	cfg  RepairConfig
	wake chan struct{}    // of one place
	done map[arrival]bool // of Run
	last string           // the last error that was logged; of Run

	mu       sync.Mutex // guards sessions; no call is made under it
	sessions []recovery.Status
}

// arrival is that a disk or a multipath map came, or a device of device-mapper above one: by the
// disk's session, how often that was logged in again, and the number of the device.
type arrival struct {
	sid     uint32
	outages int
	number  blockdev.Number
}

const (
	repairSettles = time.Second      // after a change: udev looks at a new disk, and its mdadm may add it
	repairAgain   = 10 * time.Second // after an error
)

// NewRepairer returns a Repairer that has done nothing yet.
func NewRepairer(cfg RepairConfig) *Repairer {
	return &Repairer{cfg: cfg, wake: make(chan struct{}, 1), done: map[arrival]bool{}}
}

// Update sets the state of the agent's sessions. Any goroutine may call it.
func (r *Repairer) Update(all []recovery.Status) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.sessions = slices.Clone(all)
	r.mu.Unlock()
	r.Wake()
}

// Wake has the disks looked at soon: some may be new. Any goroutine may call it.
func (r *Repairer) Wake() {
	if r == nil {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run takes disks back until ctx ends.
func (r *Repairer) Run(ctx context.Context) {
	next := time.NewTimer(repairSettles)
	defer next.Stop()
	soon := true // the timer is not to be set back: wakes that never end would put the check off
	for {
		select {
		case <-r.wake:
			if !soon {
				next.Reset(repairSettles)
			}
			soon = true
		case <-next.C:
			soon = false
			if !r.check() {
				next.Reset(repairAgain)
			}
		case <-ctx.Done():
			return
		}
	}
}

// check takes the disks back that came since the last one that reported ok.
func (r *Repairer) check() (ok bool) {
	disks, arrivals := r.disks()
	for a := range r.done { // so that it does not grow
		if !slices.Contains(arrivals, a) {
			delete(r.done, a)
		}
	}
	if !slices.ContainsFunc(arrivals, func(a arrival) bool { return !r.done[a] }) {
		return true
	}
	ok = true
	for _, one := range r.cfg.Refreshers {
		changed, err := one.Refresh(disks)
		if changed {
			r.cfg.Changed()
		}
		if err != nil {
			r.warn(err)
			ok = false
		}
	}
	for _, a := range arrivals {
		r.done[a] = r.done[a] || ok
	}
	return ok
}

// disks lists the disks of the sessions that are up, with the multipath maps that work in the place
// of their paths.
func (r *Repairer) disks() (disks []*blockdev.Device, arrivals []arrival) {
	r.mu.Lock()
	all := r.sessions
	r.mu.Unlock()
	working := sync.OnceValue(r.cfg.Working)
	for _, s := range all {
		luns, err := blockdev.LUNs(r.cfg.Sys, s.SID)
		if err != nil || !s.Up {
			continue
		}
		for _, lun := range luns {
			d := r.unit(lun.Disk, working)
			if d == nil {
				continue
			}
			if !d.In(disks) { // a map on several disks
				disks = append(disks, d)
			}
			arrivals = append(arrivals, arrival{s.SID, s.Outages, d.Number})
			for _, above := range r.mapsAbove(d) {
				arrivals = append(arrivals, arrival{s.SID, s.Outages, above.Number})
			}
		}
	}
	return disks, arrivals
}

// unit returns a disk, or the multipath map that it is a path of; nil: it cannot be read.
func (r *Repairer) unit(disk string, working func() []blockdev.Number) *blockdev.Device {
	d, err := blockdev.Read(r.cfg.Sys, disk)
	if disk == "" || err != nil {
		return nil
	}
	if m := blockdev.PathOf(r.cfg.Sys, disk); m != nil {
		if d = m; !slices.Contains(working(), m.Number) {
			return nil
		}
	}
	if d.Size == 0 {
		return nil
	}
	return d
}

// mapsAbove lists the devices of device-mapper above a disk: lvm2 may activate them later, and a
// multipath map has its partitions there.
func (r *Repairer) mapsAbove(disk *blockdev.Device) (out []*blockdev.Device) {
	for _, name := range blockdev.Holders(r.cfg.Sys, disk.Name) {
		if d, err := blockdev.Read(r.cfg.Sys, name); err == nil && d.Map != "" {
			out = append(out, d)
		}
	}
	return out
}

// warn logs an error, unless it is the last one again.
func (r *Repairer) warn(err error) {
	if text := fmt.Sprint(err); text != r.last {
		r.last = text
		r.cfg.Log.Warnf("mirrors: %s", text)
	}
}
