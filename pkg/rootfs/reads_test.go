package rootfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// losing are sessions of which the second is down from a time on.
type losing struct {
	fakeSessions
	down chan struct{} // closed then
}

func (l *losing) WaitDown(ctx context.Context, i int) error {
	if i != 1 {
		return l.fakeSessions.WaitDown(ctx, i)
	}
	if closed(l.down) {
		return nil
	}
	select {
	case <-l.down:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *losing) Down() string {
	if closed(l.down) {
		return "session 8 down for 2 s"
	}
	return ""
}

// mirrorOfTwo is a mirror over two sessions.
func mirrorOfTwo(t *testing.T, root string) (*Storage, *fakeArrays, *losing) {
	t.Helper()
	sb, _ := ext4(t)
	st, k := arrayDisks(t, 2, root)
	k.mirror(1, "root", 2, sb, "sda", "sdb")
	l := &losing{fakeSessions{list: someSessions(2)}, make(chan struct{})}
	st.Sessions = l
	return st, k, l
}

// A mirror starts without the leg whose session is down, after degradedWait, and at once with it
// when the session is back.
func TestMirrorWithASessionDown(t *testing.T) {
	_, uuid := ext4(t)
	for _, root := range []string{"root=/dev/md/root", "root=UUID=" + uuid} {
		for _, back := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				st, k, l := mirrorOfTwo(t, root)
				close(l.down)
				st.Started = time.Now()
				p := st.newRootSearch("root")
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				find := func() error {
					if back && time.Since(st.Started) > 10*time.Second {
						l.down = make(chan struct{})
					}
					_, err := k.find(st)
					return err
				}
				err := st.whileTargetsCome(ctx, false, func() error { return p.try(ctx, find) })
				took, lines := time.Since(st.Started), strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n")
				if err != nil || k.arrayNames() != "md127" || len(k.run["md127"]) != map[bool]int{false: 1, true: 2}[back] || strings.Contains(lines, "activating it without them") == back {
					t.Errorf("%s: %v after %v, %v: %s", root, err, took, k.run, lines)
				}
				if !back && (took < degradedWait || took > degradedWait+10*time.Second) || !strings.Contains(lines, "disk sdb is not read: session 8 to iqn.x:1 is down") {
					t.Errorf("%s: after %v: %s", root, took, lines)
				}
			})
		}
	}
}

// A read ends when the session of its disk goes down, and the disk is unread. The disk is a pipe,
// whose open(2) waits for a writer.
func TestSessionGoesDownDuringRead(t *testing.T) {
	for _, root := range []string{"root=/dev/md/root", "root=UUID=1", "root=8:99", ""} {
		st, k, l := mirrorOfTwo(t, root)
		disk := filepath.Join(k.paths.dev, "sdb")
		if err := errors.Join(os.Remove(disk), unix.Mkfifo(disk, 0o600)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			if root == "" {
				ended <- st.lookOn(t.Context(), k.paths, st.disks)
				return
			}
			_, err := k.find(st)
			ended <- err
		}()
		waitInOpen(ended)
		close(l.down)
		err := <-ended
		if st.degradable(err) == (root == "root=8:99") || !strings.Contains(reads.Describe(unreadOf(err)), "session 8 to iqn.x:1 is down") {
			t.Errorf("%q: %v", root, err)
		}
		w, err := os.OpenFile(disk, os.O_RDWR, 0) // ends the open
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
	}
}

// A disk whose session is down is not probed, for an init or again.
func TestNoProbeWhileSessionIsDown(t *testing.T) {
	st, _ := withSessions(2)
	l := &losing{fakeSessions{list: someSessions(2)}, make(chan struct{})}
	close(l.down)
	asked := &askedSessions{losing: l}
	st.Sessions = asked
	st.disks = append(st.disks, ourDisk("none", 0, 0), ourDisk("sdb", 1, 0))
	err := st.lookForInit(t.Context(), st.disks[1:])
	if !strings.Contains(reads.Describe(unreadOf(err)), "session 8 to iqn.x:1 is down") {
		t.Error(err)
	}
	st.probeAgain(t.Context(), []reads.Unread{{Disk: "none"}, {Disk: "sdb"}})
	if strings.Join(asked.targets, " ") != "iqn.x:0" {
		t.Errorf("asked %q", asked.targets)
	}
}

// askedSessions notes the targets to which commands are sent.
type askedSessions struct {
	*losing
	targets []string
}

func (a *askedSessions) RepeatIfLost(_ context.Context, s *session.Session, _ func(bool) error) error {
	a.targets = append(a.targets, s.Target)
	return nil
}

// A device that is no disk of a session is read until the search ends.
func TestReadsOfOthers(t *testing.T) {
	st, _, l := mirrorOfTwo(t, "")
	close(l.down)
	r := st.newReads(t.Context())
	defer r.End()
	for name, down := range map[string]bool{"sda": false, "sda2": false, "sdb": true, "sdb2": true, "sdba": false, "md127": false, "dm-1": false} {
		var err *reads.DownError
		if got := errors.As(r.On(name).Err(), &err); got != down {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := r.On("sda")
	r.End()
	if !errors.Is(one.Err(), context.Canceled) {
		t.Error(one.Err())
	}
}
