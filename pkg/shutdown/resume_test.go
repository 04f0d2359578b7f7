package shutdown

import (
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// suspended is device-mapper with devices, which are suspended or not.
type suspended struct {
	devices map[string]bool
	done    []string
}

func (s *suspended) Info(name string) (dm.Info, error) {
	is, there := s.devices[name]
	if !there {
		return dm.Info{}, unix.ENXIO
	}
	return dm.Info{Suspended: is}, nil
}

func (s *suspended) Resume(name string, _ dm.Udev, o dm.Option) (dm.Info, error) {
	if o == dm.NoFlush|dm.SkipLockFS {
		s.done = append(s.done, name)
	}
	return dm.Info{}, nil
}

func (s *suspended) Close() error { s.done = append(s.done, "closed"); return nil }

// What the agent had suspended when it was killed is resumed, the lowest first.
func TestResumeAll(t *testing.T) {
	s := &suspended{devices: map[string]bool{"vg-r1": true, "vg-r1_rmeta_1": true, "vg-r1_rimage_1": false, "other": true}}
	open := func() (mapper, error) { return s, nil }
	dir := tree(t, map[string]string{"note": "vg-r1_rmeta_1\nvg-r1_rimage_1\nvg-new\nvg-r1\n"})
	resumeAll(filepath.Join(dir, "none"), open)
	if len(s.done) > 0 {
		t.Errorf("without a note: %q", s.done)
	}
	l := &linux{proc: t.TempDir(), refreshing: filepath.Join(dir, "note"), mapper: open}
	l.EndAgent()
	if want := []string{"vg-r1_rmeta_1", "vg-r1", "closed"}; !slices.Equal(s.done, want) {
		t.Errorf("%q, want %q", s.done, want)
	}
}
