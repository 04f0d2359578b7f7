package shutdown

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// hangingMaps is device-mapper that does not answer until it is let go.
type hangingMaps struct {
	asked chan bool
	end   chan struct{}
}

func (m *hangingMaps) wait() error { m.asked <- true; <-m.end; return errors.New("no such device") }

func (m *hangingMaps) Table(string) (table.Table, error)  { return nil, m.wait() }
func (m *hangingMaps) Status(string) ([]dm.Status, error) { return nil, m.wait() }
func (m *hangingMaps) Info(string) (dm.Info, error)       { return dm.Info{}, m.wait() }

// Where the kernel does not tell what stands on the disk of a lost session, the session is down,
// and that is asked once.
func TestDownHangs(t *testing.T) {
	const disk, volume = "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/virtual/block/dm-0"
	l := ourSession(t, map[string]string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/type": "0\n", disk + "/dev": "8:0\n",
		volume + "/dev": "253:0\n", volume + "/dm/name": "vg-swap\n", volume + "/slaves/.keep": "", "class/block/.keep": "", "1/mountinfo": "",
	})
	l.proc = l.sys
	m := &hangingMaps{}
	l.maps = m
	for to, at := range map[string]string{
		"devices/platform/host7/session3": "devices/platform/host7/session3/iscsi_session/session3/device",
		disk:                              "class/block/sda",
		volume:                            "class/block/dm-0",
	} {
		if err := os.Symlink(filepath.Join(l.sys, to), filepath.Join(l.sys, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(filepath.Join(l.sys, disk), filepath.Join(l.sys, volume, "slaves/sda")),
		os.Mkdir(filepath.Join(l.sys, disk, "holders"), 0o755), os.Symlink(filepath.Join(l.sys, volume), filepath.Join(l.sys, disk, "holders/dm-0"))); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m.end = make(chan struct{})
		m.asked = make(chan bool, 9)
		check := func(took time.Duration) {
			t.Helper()
			began := time.Now()
			if got := l.down(); !slices.Equal(got, []string{"session 3"}) || time.Since(began) != took {
				t.Errorf("%q are down, after %v", got, time.Since(began))
			}
		}
		check(neededTime)
		check(0)
		if len(m.asked) != 1 {
			t.Errorf("asked %d times", len(m.asked))
		}
		close(m.end)
		synctest.Wait()
		check(0)
		if len(m.asked) < 2 {
			t.Error("not asked again")
		}
	})
}
