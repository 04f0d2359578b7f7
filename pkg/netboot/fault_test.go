package netboot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errInjected = errors.New("injected")

// faultyDisk fails once, at an operation that changes something; for good if the run is killed
// there.
type faultyDisk struct {
	disk

	left   int // operations before the fault
	killed bool
	faults int
}

func (d *faultyDisk) fault() error {
	d.left--
	if d.left == 0 || d.left < 0 && d.killed {
		d.faults++
		return errInjected
	}
	return nil
}

// write fails in the middle of the file.
func (d *faultyDisk) write(name string, data []byte, a attr) error {
	if err := d.fault(); err != nil {
		if d.left == 0 {
			a.mode = 0o600
			_ = d.disk.write(name, data[:len(data)/2], a)
		}
		return err
	}
	return d.disk.write(name, data, a)
}

func (d *faultyDisk) mkdir(name string, mode fs.FileMode) error {
	return errors.Join(d.fault(), d.unless(func() error { return d.disk.mkdir(name, mode) }))
}

func (d *faultyDisk) link(old, name string) error {
	return errors.Join(d.fault(), d.unless(func() error { return d.disk.link(old, name) }))
}

func (d *faultyDisk) rename(old, name string) error {
	return errors.Join(d.fault(), d.unless(func() error { return d.disk.rename(old, name) }))
}

func (d *faultyDisk) remove(name string) error {
	return errors.Join(d.fault(), d.unless(func() error { return d.disk.remove(name) }))
}

func (d *faultyDisk) rmdir(name string) {
	if d.fault() == nil {
		d.disk.rmdir(name)
	}
}

func (d *faultyDisk) sync(dir string) error {
	return errors.Join(d.fault(), d.unless(func() error { return d.disk.sync(dir) }))
}

// unless does what is not to fail.
func (d *faultyDisk) unless(f func() error) error {
	if d.left == 0 || d.left < 0 && d.killed {
		return nil
	}
	return f()
}

// An update that fails at any operation leaves the old files as a whole and nothing else; if all
// that failed was to remove the old ones, the new ones as a whole when the next run has begun. One
// that is killed at any operation leaves either when the next run has begun, also if that was
// killed at first.
func TestUpdateFails(t *testing.T) {
	for _, killed := range []bool{false, true} {
		for n, done := 1, false; !done; n++ {
			dir, old, now, changes := begun(t)
			d := &faultyDisk{disk: openDisk(t, dir), left: n, killed: killed}
			err := apply(t.Context(), d, changes, Owner{})
			done = d.faults == 0
			if done && (err != nil || n < 30) {
				t.Errorf("no fault after %d operations: %v", n, err)
			}
			if !done && !errors.Is(err, errInjected) {
				t.Errorf("fault at operation %d, killed %v: no error, but %v", n, killed, err)
			}
			want := old
			if picture(t, dir)[switched] != "" || done || killed && complete(t, dir) {
				want = now
			}
			if killed || picture(t, dir)[switched] != "" {
				recoverWithKills(t, dir, n)
			}
			got := picture(t, dir)
			if cmp.Diff(want, got) != "" {
				t.Fatalf("fault at operation %d, killed %v: -want +got:\n%s", n, killed, cmp.Diff(want, got))
			}
		}
	}
}

// complete tells whether the last operation, which removes the journal, was to come.
func complete(t *testing.T, dir string) bool {
	t.Helper()
	got := picture(t, dir)
	return got[preparing] == "" && got[switching] == "" && got["a/new"] != ""
}

// recoverWithKills takes an update back, first with runs that are killed too.
func recoverWithKills(t *testing.T, dir string, n int) {
	t.Helper()
	for _, left := range []int{1, 2, 3, 5, 8, n} {
		_ = takeBack(&faultyDisk{disk: openDisk(t, dir), left: left, killed: true})
	}
	if err := takeBack(openDisk(t, dir)); err != nil {
		t.Fatal(err)
	}
}

// begun returns a directory with changes that are to be made: files that are new, some in new
// directories, changed and removed. Files of the user are there too.
func begun(t *testing.T) (dir string, old, now map[string]string, changes []Change) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"a/changed": "1", "a/removed": "2", "a/of-the-user": "3", "changed": "4"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	old = picture(t, dir)
	changes = []Change{
		{Kind: "new", File: File{Path: "b/c/new", Data: []byte("new 1")}},
		{Kind: "changed", File: File{Path: "a/changed", Data: []byte("new 2")}, Old: []byte("1")},
		{Kind: "new", File: File{Path: "a/new", Data: []byte("new 3")}},
		{Kind: "changed", File: File{Path: "changed", Data: []byte("new 4")}, Old: []byte("4")},
		{Kind: "removed", File: File{Path: "a/removed"}},
	}
	now = map[string]string{}
	for name, text := range old {
		now[name] = text
	}
	for _, c := range changes {
		now[c.File.Path] = "-rw-r--r-- " + string(c.File.Data)
	}
	delete(now, "a/removed")
	now["b"], now["b/c"] = "directory", "directory"
	return dir, old, now, changes
}

// picture is all that is in a directory: the mode and content of files, and the directories.
func picture(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		short := strings.TrimPrefix(name, dir+"/")
		if e.IsDir() {
			out[short] = "directory"
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		out[short] = info.Mode().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
