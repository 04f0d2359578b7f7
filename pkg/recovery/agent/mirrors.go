package agent

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/legs"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/mirrors"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
)

// newMirrors makes the keeper of mirrors and what takes their members back, for newWorker.
func (w *worker) newMirrors() {
	w.use = (&redundancy.Rule{Sys: "/sys", Proc: "/proc", Maps: redundancy.DeviceMapper("/sys")}).Use
	w.mirrors = mirrors.New(mirrors.Config{
		Timeout: w.state.MirrorTimeout, Use: w.use, Down: w.downSessions, Replace: w.replaceSession, Continue: w.continueReplacing, Log: w.log,
	})
	w.repairs = mirrors.NewRepairer(mirrors.RepairConfig{
		Sys: "/sys", Changed: func() { w.disks.Wake() }, Log: w.log,
		Refreshers: []mirrors.Refresher{
			&mirrors.Members{Arrays: array.Paths{Sys: "/sys", Dev: "/dev"}, Sys: "/sys", Read: readSuperblock, Log: w.log},
			legs.New(w.log),
		},
	})
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
	return md.Read(direct{f}, size)
}

// direct reads a file that is open with O_DIRECT, at any offset.
type direct struct{ io.ReaderAt }

// directAlign is a multiple of any disk's sector, in bytes: offset, length and memory of a read are
// multiples of it (open(2): O_DIRECT).
const directAlign = 4096

// ReadAt implements io.ReaderAt.
func (d direct) ReadAt(b []byte, off int64) (int, error) {
	begin := off &^ (directAlign - 1)
	n := (int(off-begin) + len(b) + directAlign - 1) &^ (directAlign - 1)
	page, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 0, os.NewSyscallError("mmap", err)
	}
	defer func() { _ = unix.Munmap(page) }()
	got, err := d.ReaderAt.ReadAt(page, begin)
	done := copy(b, page[min(int(off-begin), got):got])
	if done == len(b) {
		return done, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return done, err
}
