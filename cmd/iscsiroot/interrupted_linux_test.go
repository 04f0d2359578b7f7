package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/manual"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// endsAt is a context that ends when it is looked at for the last time, and calls ended then.
type endsAt struct {
	context.Context

	left  int
	ended func()
}

func (c *endsAt) Err() error {
	c.left--
	if c.left == -1 {
		c.ended()
	}
	if c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whenever man --output is interrupted, and the process ends by it or not, nothing new is there,
// and an old page is as it was.
func TestManOutputInterrupted(t *testing.T) {
	pages, err := manual.Pages()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		s := newStage(t)
		s.write("there/man8/iscsiroot.8", "old")
		before := everything(t, s.dir)
		check := func(how string) {
			text, err := os.ReadFile(s.path("there/man8/iscsiroot.8"))
			if diff := cmp.Diff(before, everything(t, s.dir)); err != nil || string(text) != "old" || diff != "" {
				t.Errorf("after %d, %s: %v, %q, -before +after:\n%s", n, how, err, text, diff)
			}
		}
		done := 0
		for _, dir := range []string{s.path("new/man"), s.path("there")} {
			var undo outfile.Undo
			ctx := &endsAt{t.Context(), n, func() {
				undo.Run()
				check("with the process")
			}}
			if err := writePages(outfile.WithUndo(ctx, &undo), dir, pages); err == nil {
				done++
			} else {
				check("by itself")
			}
		}
		if done > 0 {
			if n < len(pages) || done < 2 {
				t.Errorf("%d complete when the context was looked at %d times", done, n)
			}
			return
		}
	}
}

// The log of try is complete or as it was before, and a device takes it too.
func TestTryLog(t *testing.T) {
	s := newStage(t)
	s.write("log", "old")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := writeLog(ended, s.path("log"), "new"); err == nil || s.read("log") != "old" {
		t.Errorf("after a signal: %v, %q", err, s.read("log"))
	}
	if err := writeLog(t.Context(), s.path("log"), "new"); err != nil || s.read("log") != "new" {
		t.Errorf("%v, %q", err, s.read("log"))
	}
	if st, err := os.Stat(s.path("log")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := writeLog(t.Context(), "/dev/null", "new"); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat("/dev/null"); err != nil || st.Mode().IsRegular() {
		t.Errorf("/dev/null is a file now, %v", err)
	}
	if err := writeLog(t.Context(), s.path("none/log"), "new"); err == nil {
		t.Error("no error for a directory that is not there")
	}
}

// Of two builds to one file at the same time the image of one results, whole, with nothing beside
// it.
func TestTwoBuilds(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	builds := func(policy string) []string {
		return []string{"--policy", policy, "--compress", "none"}
	}
	var want [2]string
	policies := [2]string{"rd.timeout=1", "rd.timeout=2"}
	for i, policy := range policies {
		if status, _, errs := s.build(builds(policy)...); status != 0 {
			t.Fatal(errs)
		}
		want[i] = s.read("out/initrd.img")
	}
	for range 20 {
		var wg sync.WaitGroup
		for _, policy := range policies {
			wg.Go(func() {
				if status, _, errs := s.build(builds(policy)...); status != 0 {
					t.Errorf("status %d: %s", status, errs)
				}
			})
		}
		wg.Wait()
		left, err := os.ReadDir(s.path("out"))
		if got := s.read("out/initrd.img"); got != want[0] && got != want[1] || err != nil || len(left) != 1 {
			t.Fatalf("an image of %d bytes, in a directory with %v, %v", len(got), left, err)
		}
	}
}

// read returns what is in a file of the stage.
func (s stage) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// files returns what is below a directory of the stage; a directory has a text of its own.
func (s stage) files(dir string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, name := range everything(s.t, s.path(dir)) {
		out[name] = "a directory"
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() {
			out[name] = st.Mode().String() + "\n" + s.read(strings.TrimPrefix(name, s.dir))
		}
	}
	return out
}

// A pxe that is killed anywhere leaves a tree of which the next run, even one that fails, makes the
// old one or the new one as a whole.
func TestKilledPXE(t *testing.T) {
	onTmpfs(t)
	s := newStage(t)
	const count = 160
	later := strings.Replace(manyHosts(count), "remote/vmlinuz", "remote/vmlinuz-2", 1)
	s.write("old.yaml", manyHosts(count-1))
	s.write("new.yaml", later)
	s.write("fails.yaml", strings.ReplaceAll(later, "name: h7\n    mac: aa", "name: h7\n    mac: a2"))
	const fifo = "srv/tftp/pxelinux.cfg/01-a2-bb-cc-dd-00-07"
	pxe := func(file string) (status int, errs string) {
		status, _, errs = s.run("pxe", "~/"+file, "~/srv")
		return status, errs
	}
	mustWrite := func(file string) map[string]string {
		t.Helper()
		if status, errs := pxe(file); status != 0 {
			t.Fatal(errs)
		}
		return s.files("srv")
	}
	mustWrite("old.yaml")
	after := mustWrite("new.yaml")
	before := mustWrite("old.yaml")
	seen := map[string]int{}
	for _, sign := range []string{
		".iscsiroot-pxe-prepare", "tftp/pxelinux.cfg/*-00-10" + outfileSuffix, "tftp/pxelinux.cfg/*-00-90" + outfileSuffix,
		".iscsiroot-pxe-switch", ".iscsiroot-pxe-done",
	} {
		cmd := program(t, "pxe", s.path("new.yaml"), s.path("srv"))
		cmd.Stdout = nil
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, sign, func() bool {
			found, _ := filepath.Glob(s.path("srv/" + sign))
			text, err := os.ReadFile(s.path("srv/.iscsiroot-pxe")) // the list, which changes last but one
			return len(found) > 0 || err == nil && len(text) > 0 && string(text) == listOf(after, s.path("srv/.iscsiroot-pxe"))
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		journals, _ := filepath.Glob(s.path("srv/.iscsiroot-pxe-*"))
		if len(journals) > 1 { // the lock is one
			seen[sign]++
		}
		if err := unix.Mkfifo(s.path(fifo), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, errs := pxe("fails.yaml"); status != 1 || !strings.Contains(errs, "not a regular file") {
			t.Fatalf("%s: status %d, %s", sign, status, errs)
		}
		if err := os.Remove(s.path(fifo)); err != nil {
			t.Fatal(err)
		}
		if got := s.files("srv"); !maps.Equal(got, before) && !maps.Equal(got, after) {
			t.Errorf("%s: neither the old tree:\n%.2000s\nnor the new one:\n%.2000s", sign, cmp.Diff(before, got), cmp.Diff(after, got))
		}
		if got := mustWrite("old.yaml"); !maps.Equal(got, before) {
			t.Errorf("%s: the next run:\n%.2000s", sign, cmp.Diff(before, got))
		}
	}
	if len(seen) < 2 {
		t.Errorf("killed in the middle only at %v", seen)
	}
}

func listOf(tree map[string]string, name string) string {
	_, text, _ := strings.Cut(tree[name], "\n")
	return text
}
