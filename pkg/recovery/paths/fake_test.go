package paths

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

const wwid = "36001405abc"

// rig is a kernel with one map, and the sessions of its paths: path i is sda, sdb, ... of session
// i+1, with the number 8:0, 8:16, ...
type rig struct {
	t    *testing.T
	sys  string
	keep *Keeper

	mu        sync.Mutex
	m         maps.Map
	sessions  []*fakeSession
	late      map[string]multipath.Path // disks in no map
	did       []string                  // messages and changes
	log       []string
	reads     int
	readErr   error
	stuck     chan struct{} // not nil: a change of the table waits for it
	lists     int
	changeErr error            // of the next change
	listErr   error            // beside the map, or in its place
	hidden    bool             // the map is not listed
	joinErr   map[string]error // by disk
	covered   bool
}

type fakeSession struct {
	sid    uint32
	target string
	queue  uint32
	timers bool // of a path, in the kernel
	up     bool
	due    bool // the kernel refuses its recovery time-out
}

func (s *fakeSession) ID() uint32     { return s.sid }
func (s *fakeSession) String() string { return s.target }
func (s *fakeSession) Queue() uint32  { return s.queue }

func (s *fakeSession) At() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(s.sid)}), 3260)
}

func (s *fakeSession) UseAsPath() error         { s.queue = 60; return nil }
func (s *fakeSession) UseAsDisk() error         { s.queue = 0; return nil }
func (s *fakeSession) Recovery() (uint32, bool) { return 0, s.due }

func (s *fakeSession) SetTimers(context.Context) error { s.timers = s.queue != 0; return nil }

func number(i int) table.Number { return table.Number{Major: 8, Minor: uint32(16 * i)} }

func disk(i int) string { return "sd" + string(rune('a'+i)) }

func pathOf(i int, access multipath.Access) multipath.Path {
	return multipath.Path{Disk: disk(i), Number: number(i), Size: 1 << 20, ID: wwid, Global: true, Access: access}
}

// keeping runs a test with a Keeper of a map whose paths have these access states, one group each.
func keeping(t *testing.T, edit func(*Config), test func(r *rig), access ...multipath.Access) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, sys: t.TempDir(), late: map[string]multipath.Path{}}
		r.m = maps.Map{Name: wwid, ID: wwid, Size: 1 << 20, Queue: true}
		for i, a := range access {
			r.addSession("iqn.a:x", 60)
			r.m.Groups = append(r.m.Groups, 'E')
			r.m.Paths = append(r.m.Paths, maps.Path{Path: pathOf(i, a), Session: uint32(i + 1), Group: i})
		}
		cfg := Config{
			Sys: r.sys, Maps: r, Log: r, Sessions: r.list, Read: r.read,
			Covered: func(uint32) bool { r.mu.Lock(); defer r.mu.Unlock(); return r.covered },
		}
		if edit != nil {
			edit(&cfg)
		}
		r.keep = New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.keep.Run(ctx) }()
		r.states(nil)
		test(r)
		cancel()
		<-done
		synctest.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", strings.Join(r.log, "\n"))
		}
	})
}

func (r *rig) addSession(target string, queue uint32) *fakeSession {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &fakeSession{sid: uint32(len(r.sessions) + 1), target: target, queue: queue, up: true}
	r.sessions = append(r.sessions, s)
	return s
}

// attach gives a session a disk that is in no map.
func (r *rig) attach(i int, edit func(*multipath.Path)) {
	r.t.Helper()
	p := pathOf(i, "")
	if edit != nil {
		edit(&p)
	}
	host := filepath.Join(r.sys, "devices", fmt.Sprint("session", i+1))
	unit := filepath.Join(host, fmt.Sprintf("target%d:0:0/%d:0:0:0", i, i))
	class := filepath.Join(r.sys, "class/iscsi_session", fmt.Sprint("session", i+1))
	if err := errors.Join(os.MkdirAll(filepath.Join(unit, "block", p.Disk), 0o755), os.WriteFile(filepath.Join(unit, "type"), []byte("0\n"), 0o644),
		os.MkdirAll(class, 0o755), os.Symlink(host, filepath.Join(class, "device"))); err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late[p.Disk] = p
}

// attribute writes one of a disk's device, and returns its file.
func (r *rig) attribute(i int, name, text string) string {
	r.t.Helper()
	file := filepath.Join(r.sys, "class/block", disk(i), "device", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
	return file
}

func (r *rig) list() (out []Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		out = append(out, s)
	}
	return out
}

// states changes the states of the sessions, and returns what is done at once.
func (r *rig) states(change func()) {
	r.t.Helper()
	r.mu.Lock()
	if change != nil {
		change()
	}
	var all []recovery.Status
	for _, s := range r.sessions {
		all = append(all, recovery.Status{SID: s.sid, Up: s.up})
	}
	r.mu.Unlock()
	r.keep.Update(all)
	synctest.Wait()
}

// down sets which sessions are down.
func (r *rig) down(sids ...uint32) {
	r.t.Helper()
	r.states(func() {
		for _, s := range r.sessions {
			s.up = !slices.Contains(sids, s.sid)
		}
	})
}

// expect compares what was done since the last call.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.did, want) {
		r.t.Errorf("did %q, want %q", r.did, want)
	}
	r.did = nil
}

// logs compares the log since the last call.
func (r *rig) logs(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.log, want) {
		r.t.Errorf("logged\n%s\nwant\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
	}
	r.log = nil
}

func (r *rig) read(string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	return r.readErr
}

func (r *rig) readsSoFar() int   { r.mu.Lock(); defer r.mu.Unlock(); return r.reads }
func (r *rig) listsSoFar() int   { r.mu.Lock(); defer r.mu.Unlock(); return r.lists }
func (r *rig) failed(i int) bool { r.mu.Lock(); defer r.mu.Unlock(); return r.m.Paths[i].Failed }

func (r *rig) Errorf(format string, args ...any) { r.write("error: "+format, args...) }
func (r *rig) Warnf(format string, args ...any)  { r.write("warning: "+format, args...) }
func (r *rig) Infof(format string, args ...any)  { r.write("info: "+format, args...) }

func (r *rig) write(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// List implements Maps, and the others too.
func (r *rig) List() ([]maps.Map, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists++
	one := r.m
	one.Paths, one.Groups = slices.Clone(one.Paths), slices.Clone(one.Groups)
	if r.hidden {
		return nil, r.listErr
	}
	return []maps.Map{one}, r.listErr
}

func (r *rig) Read(u blockdev.LUN, target string) (multipath.Path, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.late[u.Disk]
	p.Target = target
	return p, nil
}

func (r *rig) change(format string, args ...any) {
	r.mu.Lock()
	stuck := r.stuck
	r.did = append(r.did, fmt.Sprintf(format, args...))
	r.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
}

func (r *rig) Join(_ context.Context, name string, p multipath.Path) error {
	r.change("join %s", p.Disk)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.joinErr[p.Disk]; err != nil {
		return err
	}
	if err := r.changeErr; err != nil {
		r.changeErr = nil
		return err
	}
	r.m.Paths = slices.DeleteFunc(r.m.Paths, func(p maps.Path) bool { return p.Disk == "" })
	for _, s := range r.sessions {
		if s.target == p.Target && s.queue == 0 {
			r.t.Errorf("session %d has no timers of a path when its disk joins", s.sid)
		}
	}
	at := slices.IndexFunc(r.m.Paths, func(have maps.Path) bool { return multipath.Priority(have.Path) == multipath.Priority(p) })
	group := len(r.m.Groups)
	if at >= 0 {
		group = r.m.Paths[at].Group
	} else {
		r.m.Groups = append(r.m.Groups, 'E')
	}
	r.m.Paths = append(r.m.Paths, maps.Path{Path: p, Session: uint32(p.Disk[2]-'a') + 1, Group: group}) // as attach
	return nil
}

func (r *rig) Leave(_ context.Context, name string, n table.Number) error {
	r.change("leave %s", n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m.Paths = slices.DeleteFunc(r.m.Paths, func(p maps.Path) bool { return p.Number == n })
	return nil
}

func (r *rig) Regroup(_ context.Context, name string, paths []multipath.Path) error {
	r.change("regroup")
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.changeErr
	r.changeErr = nil
	return err
}

func (r *rig) Message(name, text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.did = append(r.did, text)
	what, n, _ := strings.Cut(text, " ")
	for i := range r.m.Paths {
		if p := &r.m.Paths[i]; p.Number.String() == n {
			p.Failed = what == "fail_path"
		}
	}
	switch what {
	case "fail_if_no_path", "queue_if_no_path":
		r.m.Queue = what == "queue_if_no_path"
	case "switch_group":
		for i := range r.m.Groups {
			r.m.Groups[i] = map[bool]byte{true: 'A', false: 'E'}[fmt.Sprint(i+1) == n]
		}
	}
	return nil
}

var (
	_ Session = (*recovery.KernelSession)(nil)
	_ Maps    = (*maps.Maps)(nil)
)
