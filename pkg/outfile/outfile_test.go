package outfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names lists what is in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// Create removes what ended runs have left for the same target: not what is locked, and no file of
// another name.
func TestDeadFiles(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "out")
	live, err := Create(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".out.1" + Temporary, ".out.bak", ".other.1" + Temporary} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second, err := Create(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	second.Discard()
	want := []string{".other.1" + Temporary, filepath.Base(live.Name()), ".out.bak"}
	if got := names(t, dir); len(got) != 3 || !cmp.Equal(map[string]bool{want[0]: true, want[1]: true, want[2]: true}, map[string]bool{got[0]: true, got[1]: true, got[2]: true}) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := live.Commit(0o640); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(target); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v, %v", st, err)
	}
}

// MkdirTemp removes the directories of ended runs, and none that is in use.
func TestDeadDirectories(t *testing.T) {
	top := t.TempDir()
	t.Setenv("TMPDIR", top)
	if err := os.MkdirAll(filepath.Join(top, "try-dead/in"), 0o700); err != nil {
		t.Fatal(err)
	}
	live, err := MkdirTemp("try-")
	if err != nil {
		t.Fatal(err)
	}
	second, err := MkdirTemp("try-")
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Base(live.Name())}, names(t, top)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
}

// A signal removes the directories that a run has made, until the run keeps them, and nothing is
// made after it.
func TestMkdirAll(t *testing.T) {
	top := t.TempDir()
	var u Undo
	ctx := WithUndo(t.Context(), &u)
	for _, name := range []string{"gone/a", "kept/a"} {
		made, err := MkdirAll(ctx, filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "kept/a" {
			made.Keep()
		}
	}
	u.Close()
	u.Run()
	if _, err := MkdirAll(ctx, filepath.Join(top, "late/a")); !errors.Is(err, context.Canceled) {
		t.Errorf("after the signal: %v", err)
	}
	entries, err := os.ReadDir(top)
	if err != nil || len(entries) != 1 || entries[0].Name() != "kept" {
		t.Errorf("left %v, %v", entries, err)
	}
}

// Runs on one directory take turns, and the last one leaves neither lock nor directory.
func TestLockDir(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a/b")
	made, err := MkdirAll(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				unlock, err := LockDir(t.Context(), dir, "lock", func() {})
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the lock", n)
				}
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("%q is left", got)
	}
	made.Remove()
	unlock, err := LockDir(t.Context(), dir, "lock", func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		unlock()
		if got := names(t, top); len(got) != 0 {
			t.Errorf("%q is left", got)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	_, err = LockDir(ctx, dir, "lock", func() { told++; cancel() })
	if !errors.Is(err, context.Canceled) || told != 1 {
		t.Errorf("while another run has the lock: %v, told %d times", err, told)
	}
}

// What is registered and not released is taken back, the last first, and after Close nothing is
// registered.
func TestUndo(t *testing.T) {
	var u Undo
	ctx := WithUndo(t.Context(), &u)
	got := ""
	for _, name := range []string{"a", "b", "c"} {
		release, err := Register(ctx, func() { got += name })
		if err != nil {
			t.Fatal(err)
		}
		if name == "b" {
			release()
		}
	}
	if n := u.Close(); n != 2 {
		t.Errorf("%d steps", n)
	}
	if _, err := Create(ctx, filepath.Join(t.TempDir(), "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("after Close: %v", err)
	}
	u.Run()
	if got != "ca" {
		t.Errorf("order %q", got)
	}
}
