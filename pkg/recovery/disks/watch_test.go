package disks

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// asWriter is the variable that makes the test's program write a file under another name and wait
// for the end of its input.
const asWriter = "DISKS_TEST_WRITER"

func TestMain(m *testing.M) {
	if f := strings.Fields(os.Getenv(asWriter)); len(f) == 3 {
		if err := errors.Join(os.WriteFile("/proc/self/comm", []byte(f[0]), 0), os.WriteFile(f[2], []byte(f[1]), 0o644)); err != nil {
			os.Exit(1)
		}
		_, _ = io.ReadAll(os.Stdin)
		os.Exit(0)
	}
	nstest.Main(m)
}

// writer is a process of that name that writes a file. It lives until end is called, or the test
// ends.
func writer(t *testing.T, name, value, path string) (end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asWriter+"="+name+" "+value+" "+path, "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	return end
}

// watchIn starts a watch of the rig's session and of one that is not there.
func (r *rig) watchIn(open func(map[uint32]string, string) (*watch, error)) *watch {
	r.t.Helper()
	w, err := open(map[uint32]string{1: r.path(timeOut), 2: r.path("class/iscsi_session/session2/recovery_tmo")}, "/proc")
	if err != nil {
		r.t.Fatal(err)
	}
	w.start(r.t.Context().Done())
	r.t.Cleanup(w.close)
	return w
}

// watches are the kinds of watches, and what each reports of a write by multipathd: fanotify knows
// whose it is. It is the root's of the host (fanotify_init(2), CAP_SYS_ADMIN): another user is
// refused, and then openWatch takes inotify.
func watches(t *testing.T) map[string]watchKind {
	t.Helper()
	all := map[string]watchKind{
		"fanotify": {openFanotify, "multipathd"},
		"either":   {openWatch, "multipathd"},
		"inotify":  {openInotify, ""},
	}
	if nstest.User() {
		if _, err := openFanotify(nil, "/proc"); !errors.Is(err, unix.EPERM) {
			t.Errorf("fanotify for a user: %v", err)
		}
		delete(all, "fanotify")
		all["either"] = watchKind{openWatch, ""}
	}
	return all
}

type watchKind struct {
	open func(map[uint32]string, string) (*watch, error)
	by   string
}

// The kernel reports writes, and fanotify which process made them; the agent's own are not
// reported.
func TestWatch(t *testing.T) {
	for name, tt := range watches(t) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			w := r.watchIn(tt.open)
			if tt.by != "" {
				r.write(map[string]string{timeOut: "1\n"}) // by ourselves
			}
			writer(t, "multipathd", "5", r.path(timeOut))
			if got := <-w.writes; len(got) != 1 || got[0] != (write{1, tt.by}) {
				t.Errorf("got %v, want %q", got, tt.by)
			}
			w.close()
			for range w.writes { // it is closed
			}
		})
	}
}

// The same for a file of sysfs, where a write changes no file: one of a device in the test's own
// network.
func TestWatchSysfs(t *testing.T) {
	sys := t.TempDir()
	la := netlink.NewLinkAttrs()
	la.Name = "watch0"
	link := &netlink.Veth{LinkAttrs: la, PeerName: "watch1"}
	if err := errors.Join(netlink.LinkAdd(link), unix.Mount("test", sys, "sysfs", 0, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Unmount(sys, 0), netlink.LinkDel(link)); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(sys, "class/net/watch0/ifalias")
	for name, tt := range watches(t) {
		t.Run(name, func(t *testing.T) {
			w, err := tt.open(map[uint32]string{1: path}, "/proc")
			if err != nil {
				t.Fatal(err)
			}
			w.start(t.Context().Done())
			defer w.close()
			writer(t, "multipathd", "change", path)
			if got := <-w.writes; len(got) != 1 || got[0] != (write{1, tt.by}) {
				t.Errorf("got %v, want %q", got, tt.by)
			}
		})
	}
}

// An overflow of the queue means that any file may have been written.
func TestWatchOverflow(t *testing.T) {
	w := &watch{sids: map[uint64]uint32{3: 1, 4: 2}}
	native := func(words ...uint32) (b []byte) {
		for _, n := range words {
			b = binary.NativeEndian.AppendUint32(b, n)
		}
		return b
	}
	bySID := func(a, b write) int { return int(a.sid) - int(b.sid) }
	want := []write{{sid: 1}, {sid: 2}}
	for name, got := range map[string][]write{
		"fanotify": w.writers(fanotify(native(fanSize, 3, unix.FAN_Q_OVERFLOW, 0, 0xffffffff, 0))),
		"inotify":  w.writers(inotify(native(0xffffffff, unix.IN_Q_OVERFLOW, 0, 0))),
	} {
		if slices.SortFunc(got, bySID); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := w.writers(inotify(native(3, unix.IN_MODIFY, 0, 0, 4, unix.IN_IGNORED, 0, 0, 3, unix.IN_MODIFY, 0, 0, 9))); !slices.Equal(got, []write{{sid: 1}}) {
		t.Errorf("got %v", got)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte{24, 0, 0, 0, 3, 0, 24, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0x80, 0x77, 0, 0}) // as a kernel 6.18 has it
	f.Add([]byte{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(parseFanotify(b)); n > len(b)/fanSize {
			t.Errorf("%d events of %d bytes", n, len(b))
		}
		if n := len(parseInotify(b)); n > len(b)/inSize {
			t.Errorf("%d events of %d bytes", n, len(b))
		}
	})
}

// A Keeper at work: the disk gets its retries, multipathd's value is replaced, an administrator's
// is kept, and a new disk is found.
func TestRun(t *testing.T) {
	r := newRig(t)
	if err := os.Symlink("/proc", r.path("proc")); err != nil {
		t.Fatal(err)
	}
	k := r.keeper(Memory{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); k.Run(ctx) }()
	r.becomes(retry, "-1")
	end := writer(t, "multipathd", "5", r.path(timeOut))
	for r.logged("put back") == 0 {
		time.Sleep(time.Millisecond)
	}
	end() // without fanotify what is written is taken for multipathd's while that runs
	r.becomes(timeOut, "86400")
	writer(t, "sh", "300", r.path(timeOut))
	for got, _ := r.Recovery(); got != 300; got, _ = r.Recovery() {
		time.Sleep(time.Millisecond)
	}
	r.replace()
	k.Wake()
	r.becomes(retry, "-1")
	cancel()
	<-ended
	if r.logged("multipathd set recovery_tmo of session 1 to 5 s: put back to 86400 s") != 1 || len(r.log) != 2 {
		t.Errorf("logged %q", r.log)
	}
}

// becomes waits until a file has a value; the test's own time limit ends it.
func (r *rig) becomes(name, want string) {
	for readString(r.path(name)) != want {
		time.Sleep(time.Millisecond)
	}
}

// A file that is missing is not watched, and one that cannot be looked for is an error.
func TestWatchOfNoFile(t *testing.T) {
	for name, tt := range watches(t) {
		r := newRig(t)
		if _, err := tt.open(map[uint32]string{1: r.path(timeOut) + "/below"}, "/proc"); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%s: %v", name, err)
		}
		w, err := tt.open(map[uint32]string{1: r.path("missing")}, "/proc")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w.close()
	}
}
