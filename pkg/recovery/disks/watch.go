package disks

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// write is a write of a program to a session's recovery_tmo.
type write struct {
	sid uint32
	by  string // the program's name; empty: not known
}

// watch reports writes to files of sysfs, which send the same events as other files
// (fs/read_write.c: vfs_write, fsnotify_modify). Its reader ends with close.
type watch struct {
	file   *os.File
	sids   map[uint64]uint32 // by inode (fanotify) or watch (inotify)
	proc   string
	parse  func(b []byte) []event
	writes chan []write // closed by the reader
}

// openWatch watches files, given by session. fanotify reports which process has written; a kernel
// without it has inotify, which does not.
func openWatch(files map[uint32]string, proc string) (*watch, error) {
	w, err := openFanotify(files, proc)
	if err != nil {
		w, err = openInotify(files, proc)
	}
	return w, err
}

func openFanotify(files map[uint32]string, proc string) (*watch, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("fanotify_init", err)
	}
	return newWatch(fd, files, proc, fanotify, func(path string) (uint64, error) {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return 0, err
		}
		return st.Ino, unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_MODIFY, unix.AT_FDCWD, path)
	})
}

func openInotify(files map[uint32]string, proc string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return newWatch(fd, files, proc, inotify, func(path string) (uint64, error) {
		wd, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY)
		return uint64(wd), err
	})
}

// newWatch adds the files by add, which returns the id of a file in events. Missing files are
// omitted.
func newWatch(fd int, files map[uint32]string, proc string, parse func([]byte) []event, add func(string) (uint64, error)) (*watch, error) {
	w := &watch{file: os.NewFile(uintptr(fd), "watch"), sids: map[uint64]uint32{}, proc: proc, parse: parse, writes: make(chan []write)}
	for sid, path := range files {
		id, err := add(path)
		switch {
		case err == nil:
			w.sids[id] = sid
		case !errors.Is(err, unix.ENOENT):
			return nil, errors.Join(&os.PathError{Op: "watch", Path: path, Err: err}, w.file.Close())
		}
	}
	return w, nil
}

// maxFailed is how many reads in succession may fail: one for each session that ended.
const maxFailed = 64

// start begins to read. The reader ends with close, or when reading fails.
func (w *watch) start(done <-chan struct{}) {
	contain.Go("watch of recovery_tmo", func() {
		defer close(w.writes)
		buf := make([]byte, 4096)
		for failed := 0; failed < maxFailed; {
			n, err := w.file.Read(buf)
			if errors.Is(err, os.ErrClosed) || err == io.EOF {
				return
			} else if err != nil { // a file that fanotify was to open was removed: the next event is of another one
				failed++
				continue
			}
			failed = 0
			all := w.writers(w.parse(buf[:n]))
			if len(all) == 0 {
				continue
			}
			select {
			case w.writes <- all:
			case <-done:
				return
			}
		}
	}, nil)
}

func (w *watch) close() { _ = w.file.Close() }

// event is that something was written to a file.
type event struct {
	id   uint64 // as in watch.sids
	pid  int32  // 0: not known
	lost bool   // instead: events were, of any file
}

// fanotify reads events (fanotify(7)). The kernel opens the file for each.
func fanotify(b []byte) []event {
	var out []event
	for _, e := range parseFanotify(b) {
		if e.fd < 0 { // the queue was full
			out = append(out, event{lost: true})
			continue
		}
		var st unix.Stat_t
		err := unix.Fstat(int(e.fd), &st)
		_ = unix.Close(int(e.fd))
		if err == nil {
			out = append(out, event{id: st.Ino, pid: e.pid})
		}
	}
	return out
}

// inotify reads events (inotify(7)).
func inotify(b []byte) []event {
	var out []event
	for _, e := range parseInotify(b) {
		if lost := e.mask&unix.IN_Q_OVERFLOW != 0; lost || e.mask&unix.IN_MODIFY != 0 {
			out = append(out, event{id: uint64(e.wd), lost: lost})
		}
	}
	return out
}

// writers returns which program wrote which file. Of several writes to one file the last is used;
// those of this process are ignored.
func (w *watch) writers(all []event) []write {
	var out []write
	for _, e := range all {
		for id, sid := range w.sids {
			if !e.lost && id != e.id || int(e.pid) == os.Getpid() {
				continue
			}
			one := write{sid: sid}
			if e.pid > 0 {
				one.by = readString(filepath.Join(w.proc, strconv.Itoa(int(e.pid)), "comm"))
			}
			out = append(slices.DeleteFunc(out, func(other write) bool { return other.sid == sid }), one)
		}
	}
	return out
}
