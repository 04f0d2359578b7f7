package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// replaceRig is a kernel with sessions, its sysfs, and what a worker leaves to the next.
type replaceRig struct {
	t      *testing.T
	kernel *kerneltest.Kernel
	wire   *kernel.Transport
	sys    string
	dir    string // of /run/iscsiroot
	memory stateMemory
	failAt int // the number of the first request that fails, and all after it; negative: none
	made   uint32
}

// firstSID is above any session of the machine that runs the test.
const firstSID = 4_000_000_000

// newReplaceRig has two sessions to two targets, both without a connection that works. The second
// has two disks.
func newReplaceRig(t *testing.T) *replaceRig {
	t.Helper()
	r := &replaceRig{t: t, kernel: kerneltest.New(), sys: t.TempDir(), dir: t.TempDir(), memory: newMemory(t), failAt: -1, made: firstSID}
	r.kernel.FirstSID, r.kernel.Sysfs = firstSID, kernel.Sysfs(r.sys)
	r.kernel.Refuse = r.request
	t.Cleanup(r.kernel.Close)
	r.wire = r.kernel.Transport()
	var state State
	var listed []runstate.Session
	for i := range 2 {
		k, err := session.Reserve(t.Context(), r.wire)
		if err != nil {
			t.Fatal(err)
		}
		st := session.State{
			Record: session.Record{SID: k.SID, HostNo: k.HostNo, ISID: k.ISID(), Initiator: "iqn.i:i", Target: fmt.Sprintf("iqn.t:%d", i), Portals: manyPortals(1, 1).Portals},
			Timers: session.Timers{Recovery: 86400},
		}
		state.Sessions = append(state.Sessions, st)
		listed = append(listed, runstate.Session{SID: k.SID, Initiator: st.Initiator, Target: st.Target, Root: true})
	}
	for _, lun := range []string{"0", "3"} {
		r.write(fmt.Sprintf("class/iscsi_session/session%d/device/target2:0:0/2:0:0:%s/type", firstSID+2, lun), "0")
		r.write(fmt.Sprintf("class/iscsi_session/session%d/device/target2:0:0/2:0:0:%s/block/sd%s/dev", firstSID+2, lun, lun), "8:0")
	}
	if err := os.WriteFile(r.list(), []byte(runstate.FormatSessions(listed)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.memory.keep(text(t, state)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replaceRig) list() string { return filepath.Join(r.dir, runstate.SessionsName) }

func (r *replaceRig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.sys, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// request does in sysfs what the kernel does.
func (r *replaceRig) request(q kerneltest.Request) unix.Errno {
	if r.failAt == 0 {
		return unix.EIO
	}
	r.failAt--
	at := func(class, id string) string { return filepath.Join("class", class, id) }
	conn := at("iscsi_connection", fmt.Sprintf("connection%d:0", q.SID))
	switch q.Type {
	case kerneltest.CreateSession:
		r.made++
		one := at("iscsi_session", fmt.Sprintf("session%d", r.made))
		r.write(one+"/state", "FREE\n")
		r.write(one+"/creator", fmt.Sprintln(os.Getpid()))
	case kerneltest.CreateConn:
		r.write(conn+"/state", "down\n")
	case kerneltest.DestroyConn:
		if os.RemoveAll(filepath.Join(r.sys, conn)) != nil {
			return unix.EIO
		}
	case kerneltest.DestroyAsync:
		if os.RemoveAll(filepath.Join(r.sys, at("iscsi_session", fmt.Sprintf("session%d", q.SID)))) != nil {
			return unix.EIO
		}
	}
	return 0
}

// worker is the next worker: it has what the one before has left. It ends with the test.
func (r *replaceRig) worker() *worker {
	r.t.Helper()
	b, err := r.memory.load()
	if err != nil {
		r.t.Fatal(err)
	}
	state, err := parseState(b)
	if err != nil {
		r.t.Fatal(err)
	}
	w := &worker{transport: r.wire, log: silent{}, memory: r.memory, state: state, dir: r.dir, sys: kernel.Sysfs(r.sys)}
	w.uplinks = uplink.New(w.log, nil, func() {})
	w.use = func(uint32, []uint32) redundancy.Use { return redundancy.Use{Arrays: []string{"md127"}} }
	cfg := recovery.Config{
		Events: make(chan kernel.Event), Network: make(chan recovery.Change), Log: w.log, Changed: w.changed, Past: state.past(state.At),
		Listeners: func() ([]uint32, error) { return nil, nil },
	}
	for _, st := range state.Sessions {
		s := &recovery.KernelSession{Session: session.Reopen(w.transport, st)}
		w.sessions = append(w.sessions, s)
		if state.Replacing == nil || state.Replacing.SID != s.SID {
			cfg.Sessions = append(cfg.Sessions, s)
		}
	}
	w.disks = w.newDisks()
	w.agent = recovery.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.agent.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); <-ended })
	return w
}

// sessions lists those in the kernel.
func (r *replaceRig) sessions() []uint32 { return kernel.Sysfs(r.sys).Sessions() }

// checkReplaced checks that the second session was replaced, once, and is recovered.
func (r *replaceRig) checkReplaced(w *worker) {
	r.t.Helper()
	kept := w.kept(r.t)
	fresh := kept.Sessions[1]
	if fresh.SID <= firstSID+2 || fresh.FormerSID != firstSID+2 || fresh.Target != "iqn.t:1" || !fresh.Due || !slices.Equal(fresh.UnscannedLUNs, []uint64{0, 3}) {
		r.t.Errorf("kept %+v", fresh)
	}
	if got := r.sessions(); !slices.Equal(got, []uint32{firstSID + 1, fresh.SID}) {
		r.t.Errorf("the kernel has the sessions %d, and %d is kept", got, fresh.SID)
	}
	if kept.Replacing != nil || len(kept.Legs) != 1 || kept.Legs[0].SID != fresh.SID || !slices.Equal(kept.Legs[0].Arrays, []string{"md127"}) {
		r.t.Errorf("kept %+v, %+v", kept.Replacing, kept.Legs)
	}
	var past []uint32
	for _, p := range kept.Past {
		past = append(past, p.SID)
	}
	if slices.Sort(past); !slices.Equal(past, []uint32{firstSID + 1, fresh.SID}) || w.sessions[1].SID != fresh.SID {
		r.t.Errorf("recovered are %d, and the worker has %d", past, w.sessions[1].SID)
	}
	w.listSessions()
	b, err := os.ReadFile(r.list())
	listed, perr := runstate.ParseSessions(string(b))
	if err != nil || perr != nil || len(listed) != 2 || listed[0].SID != firstSID+1 || listed[1].SID != fresh.SID || !listed[1].Root {
		r.t.Errorf("listed %+v, %v, %v", listed, err, perr)
	}
}

func TestReplaceSession(t *testing.T) {
	r := newReplaceRig(t)
	w := r.worker()
	sid, err := w.replaceSession(firstSID+2, []string{"md127"})
	if err != nil || sid != firstSID+3 {
		t.Fatalf("session %d, %v", sid, err)
	}
	r.checkReplaced(w)
	if got := w.report(); !strings.Contains(got, fmt.Sprintf("session %d leg md127\n", sid)) {
		t.Errorf("report %q", got)
	}
}

// A worker that ends after any request to the kernel leaves a state from which the next one
// replaces the session, or recovers it as before. The same worker does so after an error.
func TestReplaceSessionInterrupted(t *testing.T) {
	for _, same := range []bool{true, false} {
		outcomes := map[bool]int{}
		for at := range 6 {
			r := newReplaceRig(t)
			w := r.worker()
			r.failAt = at
			sid, err := w.replaceSession(firstSID+2, []string{"md127"})
			r.failAt = -1
			if at == 5 {
				if err != nil || sid == 0 {
					t.Errorf("5 requests do not suffice: %v", err)
				}
				continue
			}
			if err == nil || w.kept(t).Replacing == nil {
				t.Fatalf("after %d requests: %v", at, err)
			}
			if !same {
				w = r.worker()
			}
			if err := w.continueReplacing(); err != nil {
				t.Fatalf("after %d requests: %v", at, err)
			}
			old := w.kept(t).Sessions[1].SID == firstSID+2
			if outcomes[old]++; old {
				if !w.has(firstSID+2) || len(w.kept(t).Past) != 2 || w.kept(t).Replacing != nil || len(r.sessions()) != 2 {
					t.Errorf("after %d requests: %+v, the kernel has %d", at, w.kept(t), r.sessions())
				}
				if _, err := w.replaceSession(firstSID+2, []string{"md127"}); err != nil {
					t.Fatal(err)
				}
			}
			r.checkReplaced(w)
		}
		if outcomes[true] != 2 || outcomes[false] != 3 { // before the connection is removed, and after that
			t.Errorf("recovered as before %d times, replaced %d times", outcomes[true], outcomes[false])
		}
	}
}

// A worker that ends between the creation of the new session and its state's writing leaves a
// session that the next one finds.
func TestReplacingFindsItsSession(t *testing.T) {
	r := newReplaceRig(t)
	w := r.worker()
	r.failAt = 3 // the new session is made by hand
	if _, err := w.replaceSession(firstSID+2, []string{"md127"}); err == nil {
		t.Fatal("no error")
	}
	r.failAt = -1
	if _, err := session.Reserve(t.Context(), r.wire); err != nil {
		t.Fatal(err)
	}
	r.write(fmt.Sprintf("class/iscsi_session/session%d/creator", firstSID+4), "1\n") // another program's
	r.write(fmt.Sprintf("class/iscsi_session/session%d/state", firstSID+4), "FREE\n")
	next := r.worker()
	if err := next.continueReplacing(); err != nil {
		t.Fatal(err)
	}
	if got := next.kept(t).Sessions[1].SID; got != firstSID+3 {
		t.Errorf("session %d took the place", got)
	}
}

// A session that is up is scanned for a LUN that has no disk yet, after each check of the disks.
func TestDisksCheckedScans(t *testing.T) {
	r := newReplaceRig(t)
	w := r.worker()
	w.sessions[1].MarkUnscanned(7)
	if w.disksChecked() {
		t.Error("a session that is down is to be scanned")
	}
	one := fmt.Sprintf("session%d", firstSID+2)
	r.write("class/iscsi_session/"+one+"/state", "LOGGED_IN\n")
	r.write(fmt.Sprintf("class/iscsi_connection/connection%d:0/state", firstSID+2), "up\n")
	if !w.disksChecked() {
		t.Error("a LUN without a disk is not waited for")
	}
}

// Of the sessions that several workers have made, each of which ended before it kept its own, one
// takes the place and the others are ended. Those of other programs stay, also one whose creator
// had the number of a worker.
func TestReplacingEndsWhatWorkersMade(t *testing.T) {
	const first, second = 1_000_000_001, 1_000_000_002
	r := newReplaceRig(t)
	w := r.worker()
	r.failAt = 3 // the old session is removed, and no new one made
	if _, err := w.replaceSession(firstSID+2, []string{"md127"}); err == nil {
		t.Fatal("no error")
	}
	if got := w.kept(t).Replacing.Workers; !slices.Equal(got, []int{os.Getpid()}) {
		t.Errorf("before the session is made, %d are kept as its creators", got)
	}
	r.failAt = -1
	w.note(&Replacing{SID: firstSID + 2, Workers: []int{first, second}, LUNs: []uint64{0, 3}, Arrays: []string{"md127"}})
	var want []uint32
	for _, one := range []struct {
		creator int
		target  string
		partial bool
		stays   bool
	}{
		{creator: first, target: "(null)", partial: true}, // has no connection
		{creator: second, target: "(null)", stays: true},  // is used
		{creator: first, target: "(null)"},
		{creator: first, target: "iqn.t:other", stays: true}, // of a later process with that number
		{creator: 1, target: "(null)", stays: true},
	} {
		k, err := session.Reserve(t.Context(), r.wire)
		if err != nil {
			t.Fatal(err)
		}
		r.write(fmt.Sprintf("class/iscsi_session/session%d/creator", k.SID), fmt.Sprintln(one.creator))
		r.write(fmt.Sprintf("class/iscsi_session/session%d/targetname", k.SID), one.target+"\n")
		if conn := fmt.Sprintf("%s/class/iscsi_connection/connection%d:0", r.sys, k.SID); one.partial && os.RemoveAll(conn) != nil {
			t.Fatal(conn)
		}
		if one.stays {
			want = append(want, k.SID)
		}
	}
	next := r.worker()
	if err := next.continueReplacing(); err != nil {
		t.Fatal(err)
	}
	if got := next.kept(t).Sessions[1].SID; got != want[0] {
		t.Errorf("session %d took the place, want %d", got, want[0])
	}
	if got := r.sessions(); !slices.Equal(got, append([]uint32{firstSID + 1}, want...)) {
		t.Errorf("the kernel has %d, want %d beside the first", got, want)
	}
}

// A worker that continues a replacement keeps its own number beside those of earlier workers before
// it makes a session.
func TestReplacingKeepsItsWorkers(t *testing.T) {
	r := newReplaceRig(t)
	w := r.worker()
	r.failAt = 3
	if _, err := w.replaceSession(firstSID+2, []string{"md127"}); err == nil {
		t.Fatal("no error")
	}
	w.note(&Replacing{SID: firstSID + 2, Workers: []int{1_000_000_001}, Arrays: []string{"md127"}})
	next := r.worker()
	r.failAt = 0
	if err := next.continueReplacing(); err == nil {
		t.Fatal("no error")
	}
	if got := next.kept(t).Replacing; got == nil || !slices.Equal(got.Workers, []int{1_000_000_001, os.Getpid()}) || !slices.Equal(got.Arrays, []string{"md127"}) {
		t.Errorf("kept %+v", got)
	}
}

// A session that a login has brought back, that another program has ended, whose data is on no
// other disk by then, or that the shutdown removes is not ended, and none is by a process that
// ends.
func TestReplaceNothing(t *testing.T) {
	for name, change := range map[string]func(r *replaceRig, w *worker){
		"logged in": func(r *replaceRig, _ *worker) {
			r.write(fmt.Sprintf("class/iscsi_session/session%d/state", firstSID+2), "LOGGED_IN\n")
			r.write(fmt.Sprintf("class/iscsi_connection/connection%d:0/state", firstSID+2), "up\n")
		},
		"ended": func(r *replaceRig, _ *worker) {
			if err := os.RemoveAll(fmt.Sprintf("%s/class/iscsi_session/session%d", r.sys, firstSID+2)); err != nil {
				r.t.Fatal(err)
			}
		},
		"the process ends": func(_ *replaceRig, w *worker) { w.stopReplacing() },
		"not covered": func(_ *replaceRig, w *worker) {
			w.use = func(uint32, []uint32) redundancy.Use { return redundancy.Use{Fails: []string{"md127"}} }
		},
		"shutdown": func(r *replaceRig, w *worker) {
			if err := w.releaseSessions(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		r := newReplaceRig(t)
		w := r.worker()
		change(r, w)
		before := len(r.kernel.Requests())
		sid, err := w.replaceSession(firstSID+2, []string{"md127"})
		if kept := w.kept(t); sid != 0 || err != nil || len(r.kernel.Requests()) != before || kept.Replacing != nil || (len(kept.Past) != 2) != (name == "shutdown") {
			t.Errorf("%s: session %d, %v, kept %+v", name, sid, err, kept)
		}
	}
}

func TestRenumber(t *testing.T) {
	listed := []runstate.Session{{SID: 1, Target: "a"}, {SID: 2, Target: "b", Root: true}, {SID: 3, Target: "b"}, {SID: 4, Target: "c"}}
	present := []session.State{{Record: session.Record{SID: 1, Target: "a"}}, {Record: session.Record{SID: 3, Target: "b"}}, {Record: session.Record{SID: 7, Target: "b"}}}
	if !renumber(listed, present) || listed[0].SID != 1 || listed[1].SID != 7 || !listed[1].Root || listed[2].SID != 3 || listed[3].SID != 4 {
		t.Errorf("%+v", listed)
	}
	if renumber(listed, present) {
		t.Error("changed again")
	}
}
