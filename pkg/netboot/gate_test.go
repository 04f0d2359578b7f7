package netboot

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hangingDisk is one whose fsync(2) does not return.
type hangingDisk struct {
	disk

	hangs, end chan bool
}

func (d hangingDisk) sync(name string) error {
	if name == "a/changed"+temporary {
		d.hangs <- true
		<-d.end
	}
	return d.disk.sync(name)
}

// What was prepared is taken back while the update hangs, and it makes nothing more.
func TestHangingUpdate(t *testing.T) {
	dir, old, _, changes := begun(t)
	var g gate
	unlocked := 0
	hanging := hangingDisk{openDisk(t, dir), make(chan bool), make(chan bool)}
	d := g.open(hanging, func() { unlocked++ })
	done := make(chan error)
	go func() { done <- apply(t.Context(), d, changes, Owner{}) }() // until hanging.end is closed
	<-hanging.hangs
	g.takeBack()
	if diff := cmp.Diff(old, picture(t, dir)); diff != "" || unlocked != 1 {
		t.Errorf("unlocked %d times, -old +got:\n%s", unlocked, diff)
	}
	close(hanging.end)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if diff := cmp.Diff(old, picture(t, dir)); diff != "" {
		t.Errorf("after it: -old +got:\n%s", diff)
	}
}

// Updates of one directory at the same time leave the files of one of them as a whole.
func TestUpdatesTakeTurns(t *testing.T) {
	dir := t.TempDir()
	sets := [][]File{
		{{Path: "a", Data: []byte("1")}, {Path: "d/b", Data: []byte("1")}, {Path: "e/only-1", Data: []byte("1")}},
		{{Path: "a", Data: []byte("2")}, {Path: "d/b", Data: []byte("2")}},
	}
	var want []map[string]string
	for _, files := range sets {
		if _, err := Update(t.Context(), dir, files, Options{Waiting: func() {}}); err != nil {
			t.Fatal(err)
		}
		got := picture(t, dir)
		delete(got, "e") // a directory that is empty later
		want = append(want, got)
	}
	for range 10 {
		done := make(chan error)
		for _, files := range sets {
			go func() { // until it is written
				_, err := Update(t.Context(), dir, files, Options{Waiting: func() {}})
				done <- err
			}()
		}
		for range sets {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		got := picture(t, dir)
		delete(got, "e")
		if cmp.Diff(want[0], got) != "" && cmp.Diff(want[1], got) != "" {
			t.Fatalf("neither of both: %v", got)
		}
	}
}

// What is no journal is an error, and nothing waits for a FIFO.
func TestOddJournal(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, switching), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Update(t.Context(), dir, []File{{Path: "a"}}, Options{Waiting: func() {}})
	if err == nil || !strings.Contains(err.Error(), switching+": not a regular file") {
		t.Errorf("got %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("left %q, %v", left, err)
	}
}
