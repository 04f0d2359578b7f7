package login

import (
	"context"
	"slices"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// pathKeeper keeps the multipath maps alive until the agent does.
type pathKeeper struct {
	*paths.Keeper
	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex // guards the rest
	sessions []paths.Session
	allow    []multipath.ID
}

// startPaths starts a keeper without sessions.
func (ss *Sessions) startPaths(past paths.Memory) *pathKeeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &pathKeeper{cancel: cancel, ended: make(chan struct{})}
	k.Keeper = paths.New(paths.Config{
		Sys: "/sys", Maps: ss.Maps, Allow: k.allowed, Sessions: k.list, Read: paths.ReadSector("/dev"), Listen: paths.Listen(ss.Log),
		Past: past, Log: ss.Log,
	})
	contain.Go("multipath", func() { // until stop calls cancel
		defer close(k.ended)
		k.Run(ctx)
	}, func(err error) { ss.Log.Errorf("%v: paths are not reinstated until the agent has the sessions", err) })
	return k
}

// stop ends it, and returns its state for the next one. Nil is a keeper that has none.
func (k *pathKeeper) stop() paths.Memory {
	if k == nil {
		return paths.Memory{}
	}
	k.cancel()
	<-k.ended
	return k.Memory()
}

// add adds a session, whose disks may be paths, in the place of an earlier one with its id.
func (k *pathKeeper) add(s *session.Session, allow []multipath.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.allow = allow
	others := slices.DeleteFunc(slices.Clone(k.sessions), func(other paths.Session) bool { return other.ID() == s.SID })
	k.sessions = append(others, &recovery.KernelSession{Session: s})
}

func (k *pathKeeper) list() []paths.Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sessions // never written to
}

func (k *pathKeeper) allowed() []multipath.ID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.allow
}

// wwids lists the WWIDs that join disks of different targets.
func (ss *Sessions) wwids() (out []multipath.ID) {
	for _, id := range ss.Net.Spec.Multipath.IDs {
		out = append(out, multipath.ID(id.V))
	}
	return out
}
