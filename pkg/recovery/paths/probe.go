package paths

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// A failed path is read before it is used again: the session may be up before the kernel has
// unblocked its disks, and a target may log in before its disks work.

// probe is the end of a read.
type probe struct {
	name   string // of the map
	number string
	state  *pathState
	err    error
}

// The pauses between two reads. A path that has worked for stable begins anew with the first.
const (
	minProbePause = 20 * time.Millisecond // after a reset the next command works
	maxProbePause = 10 * time.Second      // for so long a path that works again may rest
	stable        = 10 * time.Second      // longer than from one read to the next
)

// probe reads a failed path of a session that is up when that is due, and returns when to call it
// again.
func (k *Keeper) probe(name string, st *pathState, p *maps.Path) time.Duration {
	switch now := k.now(); {
	case st.probing, p.Disk == "":
		return recovery.SurveyEvery
	case now < st.probeAt:
		return st.probeAt - now
	}
	one := probe{name: name, number: p.Number.String(), state: st}
	st.probing = true
	disk, access, ctx := p.Disk, p.Access, k.ctx
	contain.Go("read of "+disk, func() { // ends with the read, which the kernel ends when the session is down
		one.err = contain.Call("read of "+disk, func() error { return k.try(disk, access) })
		select {
		case k.probes <- one:
		case <-ctx.Done():
		}
	}, nil)
	return recovery.SurveyEvery
}

// errAccess is the error of a path that has an access state without I/O.
var errAccess = errors.New("its access state allows no I/O")

// try reports whether a path works.
func (k *Keeper) try(disk string, access multipath.Access) error {
	switch access {
	case multipath.Standby: // it answers no read, and is there to be switched to
		return nil
	case multipath.Unavailable, multipath.Offline, multipath.Transitional: // the kernel asks for it again
		return errors.Join(errAccess, blockdev.Rescan(k.cfg.Sys, disk))
	}
	return k.read(disk)
}

// read reads a disk. One that failed is taken out of the state "offline" for the next read: the
// kernel's error handler sets that in an outage, and unlike "transport-offline" it does not end
// with a login (drivers/scsi/scsi_lib.c: scsi_internal_device_unblock_nowait).
func (k *Keeper) read(disk string) error {
	err := k.cfg.Read(disk)
	if err == nil {
		return nil
	}
	if d, rerr := blockdev.Read(k.cfg.Sys, disk); rerr == nil && d.Size == 0 { // the kernel has asked for it while the access state allowed no answer
		err = errors.Join(err, blockdev.Rescan(k.cfg.Sys, disk))
	}
	state := filepath.Join(k.cfg.Sys, "class/block", disk, "device/state")
	if text, _ := os.ReadFile(state); strings.TrimSpace(string(text)) == "offline" {
		err = errors.Join(err, os.WriteFile(state, []byte("running"), 0))
	}
	return err
}

// probed reinstates a path that could be read.
func (k *Keeper) probed(p probe) {
	st := p.state
	st.probing = false
	if up, _ := k.sessionUp(st.sid); !up || k.maps[p.name] == nil || k.maps[p.name].paths[p.number] != st {
		return
	}
	st.pause = min(max(2*st.pause, minProbePause), maxProbePause)
	st.probeAt = k.now() + st.pause
	if p.err == nil {
		k.warn(p.name+" "+p.number, k.cfg.Maps.Message(p.name, "reinstate_path "+p.number))
	}
}
