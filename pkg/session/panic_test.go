package session

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// buggyNames is a Resolver with a bug.
type buggyNames struct{}

func (buggyNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	panic("torn slice")
}

// A panic in the look-up of one portal's name is that portal's error: the login goes on at the
// others, and is retryable if there are none.
func TestPanicInALookup(t *testing.T) {
	tg := startTarget(t, welcome)
	name := bootspec.Value[bootspec.Portal]{V: bootspec.Portal{Host: "storage", Port: 860}}
	s, _ := sessionAt(t, func(c *Config) {
		c.Resolver = buggyNames{}
		c.Target.Portals = append(c.Target.Portals, name)
	}, tg.portal)
	if _, err := s.Login(t.Context()); err != nil || s.Portal != tg.portal {
		t.Errorf("at %s, error %v", s.Portal, err)
	}

	s, _ = sessionAt(t, func(c *Config) {
		c.Resolver = buggyNames{}
		c.Target.Portals = append(c.Target.Portals[:0], name)
	})
	_, err := s.Login(t.Context())
	var failed *LoginError
	var p *contain.PanicError
	if !errors.As(err, &failed) || !errors.As(err, &p) || !failed.Retryable() {
		t.Fatalf("error %v, want a retryable one, by a panic", err)
	}
	if want := " at storage:860: look up host name: internal error: panic in a look-up: torn slice ("; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want %q in it", err, want)
	}
}

// buggyContext panics in a dial, which is the second caller of Deadline after the race.
type buggyContext struct {
	context.Context
	asked *atomic.Int32
}

func (b buggyContext) Deadline() (time.Time, bool) {
	if b.asked.Add(1) > 1 {
		panic("torn deadline")
	}
	return time.Time{}, false
}

// A panic in a connect is that address's error, and the race goes on.
func TestPanicInAConnect(t *testing.T) {
	s, _ := sessionAt(t, nil, closed(t))
	addrs := []netip.AddrPort{closed(t), closed(t)}
	conn, _, failed := s.race(buggyContext{t.Context(), new(atomic.Int32)}, plain(addrs))
	if conn != nil || len(failed) != 2 {
		t.Fatalf("connection %v, errors %v", conn, failed)
	}
	for i := range addrs {
		var connect *portal.ConnectError
		var p *contain.PanicError
		if !errors.As(failed[i], &connect) || connect.Portal != addrs[i] || !errors.As(failed[i], &p) || !connect.Retryable() {
			t.Errorf("%s: error %v, want a retryable one, by a panic", addrs[i], failed[i])
		}
	}
}
