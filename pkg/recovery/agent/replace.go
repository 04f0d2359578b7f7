package agent

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A session is replaced in these steps. A worker may end after any of them, and the next one goes
// on by the state that is kept and by what the kernel has:
//
//  1. The agent stops its recovery. The next worker begins it again.
//  2. State.Replacing is kept. As long as the kernel has the session and its connection, the
//     next worker recovers it as before: what has failed meanwhile failed for what works
//     without it.
//  3. The kernel ends the session: the connection first. Without that it cannot be logged in
//     again, so the next worker ends it.
//  4. The process is kept in Replacing.Workers, and the kernel makes another session. That is found
//     by its creator, and used. Of several one is used, and the others are ended.
//  5. The new one is kept in the place of the old one. The next worker recovers it.
//  6. It is listed in /run, for the shutdown. The next worker does that when it starts.

// endTime is for how long the kernel is waited for that ends or makes a session.
const endTime = 10 * time.Second

// replaceSession ends a session and makes it anew. It returns the new one's id; 0: the session is
// logged in, or is not to be ended any more. Arrays are those that lose members.
func (w *worker) replaceSession(sid uint32, arrays []string) (uint32, error) {
	w.replacing.Lock()
	defer w.replacing.Unlock()
	if w.released {
		return 0, nil
	}
	old := w.take(sid)
	if old == nil {
		return 0, nil
	}
	if err := w.agent.Remove(old); err != nil {
		return 0, err
	}
	if _, err := w.sys.Session(sid, "state"); err != nil || w.up(sid) { // another program ended it, or a login has succeeded
		return 0, w.giveBack(old)
	}
	if !w.use(sid, w.downSessions()).Covered() { // another leg has failed since, while Remove waited for a login to end
		return 0, w.giveBack(old)
	}
	r := &Replacing{SID: sid, LUNs: w.lunsOf(old), Arrays: arrays[:min(len(arrays), maxArrays)]}
	w.note(r)
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if err := old.End(ctx); err != nil {
		return 0, err // continueReplacing finds out how far it is
	}
	return w.renew(ctx, old, r)
}

// stopReplacing waits for a replacement that is under way, and has none begin: the next worker
// would have to find out how far it is. Where the kernel ends a session in the request, the process
// must not end meanwhile: see pkg/iscsi/kernel/destroy.go.
func (w *worker) stopReplacing() {
	w.replacing.Lock()
	defer w.replacing.Unlock()
	w.released = true
}

// continueReplacing ends what an earlier call, or worker, has begun.
func (w *worker) continueReplacing() error {
	w.replacing.Lock()
	defer w.replacing.Unlock()
	w.mu.Lock()
	r := w.state.Replacing
	w.mu.Unlock()
	if r == nil || w.released {
		return nil
	}
	old := w.take(r.SID)
	if old == nil {
		w.note(nil)
		return nil
	}
	_, err := w.sys.Session(r.SID, "state")
	_, connErr := w.sys.Connection(r.SID, 0, "state")
	if err == nil && connErr == nil {
		w.note(nil)
		return w.giveBack(old)
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if err == nil {
		if err := old.End(ctx); err != nil {
			return err
		}
	}
	_, err = w.renew(ctx, old, r)
	return err
}

// take returns a session of the worker's, whose state is reported as it is now while the agent does
// not have it; nil: there is none.
func (w *worker) take(sid uint32) *recovery.KernelSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.sessions, func(s *recovery.KernelSession) bool { return s.SID == sid })
	if i < 0 {
		return nil
	}
	w.taken = &recovery.Status{SID: sid, Name: w.sessions[i].String(), Portals: w.sessions[i].Portals()}
	for _, p := range w.state.past(clock.SinceBoot()) {
		if p.SID == sid {
			w.taken = &p
		}
	}
	return w.sessions[i]
}

// giveBack has the agent recover a session again.
func (w *worker) giveBack(s *recovery.KernelSession) error {
	w.mu.Lock()
	past := *w.taken
	w.taken = nil
	w.mu.Unlock()
	return w.agent.Resume(s, past)
}

// note keeps what is being replaced.
func (w *worker) note(r *Replacing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Replacing = r
	w.save()
}

// noteWorker keeps that this process makes sessions for a replacement, before it does.
func (w *worker) noteWorker(r *Replacing) *Replacing {
	pid := os.Getpid()
	if slices.Contains(r.Workers, pid) {
		return r
	}
	more := *r
	more.Workers = append(slices.Clone(r.Workers), pid)
	w.note(&more)
	return &more
}

// lunsOf lists the LUNs of a session's disks, and those that are still to be scanned for.
func (w *worker) lunsOf(s *recovery.KernelSession) []uint64 {
	out := s.State().UnscannedLUNs
	all, _ := blockdev.LUNs(string(w.sys), s.SID)
	for _, lun := range all {
		if lun.Disk != "" && !slices.Contains(out, lun.Number) && len(out) < session.MaxLUNs {
			out = append(out, lun.Number)
		}
	}
	return out
}

// renew makes the session anew that r names, which the kernel does not have any more, and has the
// agent recover it.
func (w *worker) renew(ctx context.Context, old *recovery.KernelSession, r *Replacing) (uint32, error) {
	r = w.noteWorker(r)
	k, err := w.reserve(ctx, r)
	if err != nil {
		return 0, err
	}
	st := old.State().Renewed(k, r.LUNs)
	fresh := &recovery.KernelSession{Session: session.Reopen(w.transport, st)}
	past := w.swap(old, fresh, r)
	w.listSessions()
	w.disks.Wake()
	return k.SID, w.agent.Resume(fresh, past)
}

// swap puts a session in the place of another one, and returns its state.
func (w *worker) swap(old, fresh *recovery.KernelSession, r *Replacing) recovery.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.sessions, old)
	w.sessions[i], w.state.Sessions[i] = fresh, fresh.State()
	w.state.Legs = slices.DeleteFunc(w.state.Legs, func(l Leg) bool { return l.SID == r.SID })
	w.state.Legs = append(w.state.Legs, Leg{fresh.SID, r.Arrays})
	past := *w.taken
	past.SID, past.Forced, past.Up, past.Ended = fresh.SID, false, false, false
	w.taken, w.state.Replacing = nil, nil
	w.state.Past = slices.DeleteFunc(slices.Clone(w.state.Past), func(p recovery.Status) bool { return p.SID == r.SID })
	w.state.Past = append(w.state.Past, past)
	w.save()
	return past
}

// reserve makes a session in the kernel, or finds one that a worker of r has made. Of several the
// first one is used, and the others are ended; one without a connection is not complete, and is
// ended too.
func (w *worker) reserve(ctx context.Context, r *Replacing) (*kernel.Session, error) {
	var found *kernel.Session
	for _, sid := range w.sys.Sessions() {
		if !w.reserved(sid, r) {
			continue
		}
		host, _ := w.sys.HostOf(sid)
		one := w.transport.Adopt(sid, host)
		if _, err := w.sys.Connection(sid, 0, "state"); err == nil && found == nil {
			found = one
			continue
		}
		if err := one.End(ctx); err != nil {
			return nil, err
		}
	}
	if found != nil {
		return found, nil
	}
	return session.Reserve(ctx, w.transport)
}

// reserved reports whether a session was made by a worker of r, and is in no list: it is newer than
// the one that it replaces, has that process as its creator (drivers/scsi/scsi_transport_iscsi.c:
// iscsi_if_create_session), and has no target, which it gets at its first login. A session that has
// one is of another program whose process has the number of a worker that ended.
func (w *worker) reserved(sid uint32, r *Replacing) bool {
	if sid <= r.SID || w.has(sid) {
		return false
	}
	text, err := w.sys.Session(sid, "creator")
	creator, perr := strconv.Atoi(text)
	if err != nil || perr != nil || !slices.Contains(r.Workers, creator) {
		return false
	}
	target, err := w.sys.Session(sid, "targetname")
	return err != nil || kernel.NoValue(target)
}

// has reports whether a session is one of the worker's.
func (w *worker) has(sid uint32) bool { return w.session(sid) != nil }

// downSessions lists the kernel's sessions that are not logged in.
func (w *worker) downSessions() (down []uint32) {
	for _, sid := range w.sys.Sessions() {
		if !w.up(sid) {
			down = append(down, sid)
		}
	}
	return down
}

// up reads from the kernel whether a session is logged in.
func (w *worker) up(sid uint32) bool {
	state, err := w.sys.Session(sid, "state")
	conn, connErr := w.sys.Connection(sid, 0, "state")
	return err == nil && connErr == nil && state == "LOGGED_IN" && conn == "up"
}

// checkLegs forgets the legs that are in use again.
func (w *worker) checkLegs() {
	w.mu.Lock()
	legs := slices.Clone(w.state.Legs)
	w.mu.Unlock()
	back := slices.DeleteFunc(legs, func(l Leg) bool { return !w.up(l.SID) || w.use(l.SID, nil).Idle() })
	if len(back) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Legs = slices.DeleteFunc(slices.Clone(w.state.Legs), func(l Leg) bool {
		return slices.ContainsFunc(back, func(b Leg) bool { return b.SID == l.SID })
	})
	w.save()
}

// listSessions replaces in the list below /run each session that was replaced by the one that took
// its place: to the same target.
func (w *worker) listSessions() {
	path := filepath.Join(w.dir, runstate.SessionsName)
	b, err := os.ReadFile(path)
	if err != nil { // another program has removed it
		return
	}
	listed, err := runstate.ParseSessions(string(b))
	w.mu.Lock()
	changed := renumber(listed, w.state.Sessions)
	w.mu.Unlock()
	if err == nil && changed {
		err = replace(path, runstate.FormatSessions(listed))
	}
	if err != nil {
		w.log.Warnf("agent: list of sessions: %v", err)
	}
}

// renumber gives listed sessions that are none of the present ones the id of one that is not listed
// and has the same target. changed reports whether there are any.
func renumber(listed []runstate.Session, present []session.State) (changed bool) {
	for i := range listed {
		if slices.ContainsFunc(present, func(st session.State) bool { return st.SID == listed[i].SID }) {
			continue
		}
		for _, st := range present {
			same := func(s runstate.Session) bool { return s.SID == st.SID }
			if st.Target == listed[i].Target && !slices.ContainsFunc(listed, same) {
				listed[i].SID, changed = st.SID, true
				break
			}
		}
	}
	return changed
}
