package login

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// The ids of the sessions stay when those are made anew: the keeper has the last one of each.
func TestPathKeeperAdd(t *testing.T) {
	k := &pathKeeper{}
	made := func(sid uint32) *session.Session { return &session.Session{Record: session.Record{SID: sid}} }
	first, other, again := made(7), made(8), made(7)
	for _, s := range []*session.Session{first, other, first} {
		k.add(s, nil)
	}
	before := k.list()
	k.add(again, nil)
	if len(before) != 2 || len(k.list()) != 2 {
		t.Fatalf("%v, then %v", before, k.list())
	}
	for _, s := range k.list() {
		if got := s.(*recovery.KernelSession).Session; got != again && got != other {
			t.Errorf("it has an earlier session %d", got.SID)
		}
	}
	for _, s := range before { // the keeper reads it without a lock
		if got := s.(*recovery.KernelSession).Session; got == again {
			t.Error("a list that was given out has changed")
		}
	}
}
