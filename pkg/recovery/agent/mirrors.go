package agent

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/legs"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/mirrors"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
)

// newMirrors makes the keeper of mirrors and what takes their members back, for newWorker.
func (w *worker) newMirrors() {
	w.use = (&redundancy.Rule{Sys: "/sys", Proc: "/proc", Maps: redundancy.DeviceMapper("/sys")}).Use
	w.mirrors = mirrors.New(mirrors.Config{
		Timeout: w.state.MirrorTimeout, Use: w.use, Down: w.downSessions, Replace: w.replaceSession, Continue: w.continueReplacing, Log: w.log,
		Progress: w.progress,
	})
	w.repairs = mirrors.NewRepairer(mirrors.RepairConfig{
		Sys: "/sys", Working: workingMaps, Changed: func() { w.disks.Wake() }, Log: w.log,
		Refreshers: []mirrors.Refresher{
			legs.New(w.log), // first: arrays may have volumes as members
			&mirrors.Members{Arrays: array.Paths{Sys: "/sys", Dev: "/dev"}, Sys: "/sys", Read: readSuperblock, Log: w.log},
		},
	})
}

// progress reads how far the commands of a session's disks are.
func (w *worker) progress(sid uint32) (waiting int, done uint64, err error) {
	if s := w.session(sid); s != nil {
		return s.Progress()
	}
	return 0, 0, os.ErrNotExist
}

// session returns one of the worker's, by its id in the kernel; nil: there is none.
func (w *worker) session(sid uint32) *recovery.KernelSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sessions {
		if s.SID == sid {
			return s
		}
	}
	return nil
}

// repairMirrors takes members back until ctx ends. What an earlier worker had suspended goes on
// first.
func (w *worker) repairMirrors(ctx context.Context) {
	if err := legs.New(w.log).Resume(); err != nil {
		w.log.Warnf("agent: %v", err)
	}
	w.repairs.Run(ctx)
}

// readSuperblock reads the superblock of a device as it is on the disk: md writes those of an array
// that runs beside the cache of the device.
func readSuperblock(device string, size int64) (md.Superblock, error) {
	f, err := os.OpenFile(filepath.Join("/dev", device), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return md.Superblock{}, err
	}
	defer func() { _ = f.Close() }()
	return md.Read(blockdev.Direct{File: f}, size)
}
