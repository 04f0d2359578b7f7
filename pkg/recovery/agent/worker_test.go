package agent

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

func newMemory(t *testing.T) stateMemory {
	t.Helper()
	m, err := newStateMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestStateMemory(t *testing.T) {
	m := newMemory(t)
	if _, err := m.load(); !errors.Is(err, errEmpty) {
		t.Fatalf("a new one: %v", err)
	}
	for i := range 5 {
		want := bytes.Repeat([]byte{byte(i)}, 1000*i)
		if err := m.keep(want); err != nil {
			t.Fatal(err)
		}
		if got, err := m.load(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("state %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// The unused place may hold anything, and an impossible length is an error.
func TestDamagedStateMemory(t *testing.T) {
	m := newMemory(t)
	for _, s := range []string{"first", "second"} {
		if err := m.keep([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.WriteAt([]byte("garbage"), offset(0)); err != nil { // the place that does not count
		t.Fatal(err)
	}
	if got, err := m.load(); string(got) != "second" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for n, want := range map[uint32]string{
		0xffffffff: "read state: 4294967295 bytes: limit 65536", maxState + 1: "read state: 65537 bytes: limit 65536", maxState: "<nil>", 1: "<nil>",
	} {
		if _, err := m.WriteAt(binary.BigEndian.AppendUint32(nil, n), offset(1)); err != nil {
			t.Fatal(err)
		}
		if got, err := m.load(); fmt.Sprint(err) != want || err == nil && len(got) != int(n) {
			t.Errorf("a length of %d: %d bytes, %v", n, len(got), err)
		}
	}
}

// A process that writes one state after the other is killed at a random moment: the memory then
// holds a complete state, not older than the last that was completed.
func TestStateMemoryAfterKill(t *testing.T) {
	if nstest.Part(t) == "writer" {
		for m, i := (stateMemory{os.NewFile(3, "state")}), 0; ; i++ {
			if err := m.keep(numbered(i)); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Println(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		m := newMemory(t)
		writer := nstest.Child(t, "writer", 0)
		writer.ExtraFiles = []*os.File{m.File}
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines, last := bufio.NewScanner(out), -1
		for kill := rand.IntN(300); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				last = n
			}
			if last == kill {
				time.Sleep(rand.N(100 * time.Microsecond)) // into one of the writes that follow
				_ = writer.Process.Kill()
			}
		}
		if err := writer.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the writer ended with %v", err)
		}
		got, err := m.load()
		if n, whole := number(got); err != nil || !whole || n < last || n > last+1 {
			t.Errorf("state %d, whole %v, after %d was kept: %v", n, whole, last, err)
		}
	}
}

// numbered is a state of many pages that shows whether it is whole.
func numbered(n int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	return bytes.Repeat(b, 1000+n%7000)
}

// number reads a state of numbered.
func number(b []byte) (n int, whole bool) {
	if len(b) < 8 {
		return 0, false
	}
	n = int(binary.BigEndian.Uint64(b))
	return n, bytes.Equal(b, numbered(n))
}

// The longest state leaves the other place and the page behind them as they are.
func TestLongestState(t *testing.T) {
	m := newMemory(t)
	page, err := m.shared()
	if err != nil {
		t.Fatal(err)
	}
	for i := range slots + 1 {
		state := bytes.Repeat([]byte{byte('a' + i)}, maxState)
		if err := m.keep(state); err != nil {
			t.Fatal(err)
		}
		for slot := range min(i+1, slots) { // the state before this one is whole
			b := make([]byte, 4+maxState)
			if _, err := m.ReadAt(b, offset(slot)); err != nil || binary.BigEndian.Uint32(b) != maxState || !bytes.Equal(b[4:], bytes.Repeat(b[4:5], maxState)) {
				t.Errorf("state %d: place %d holds %x..., %v", i, slot, b[:8], err)
			}
		}
		if got, err := m.load(); err != nil || !bytes.Equal(got, state) {
			t.Errorf("state %d: %d bytes, %v", i, len(got), err)
		}
	}
	if page.beats[supervisorHalf].Load() != 0 || page.report() != "" {
		t.Error("the page was overwritten")
	}
}

func TestReceiveState(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory(t)
	if _, err := unix.Write(pair[0], []byte("state")); err != nil {
		t.Fatal(err)
	}
	if err := m.receive(pair[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := m.load(); string(got) != "state" || err != nil {
		t.Errorf("from PID 1: %q, %v", got, err)
	}
	_ = unix.Close(pair[0])
	if err := newMemory(t).receive(pair[1]); err == nil {
		t.Error("no error after the end of PID 1")
	}
	_ = unix.Close(pair[1])
}

func TestReport(t *testing.T) {
	got := reportSessions([]recovery.Status{
		{SID: 1, Name: "iqn.a", Portals: []string{"10.0.0.1:3260", "[fd00::1]:3260"}, Up: true, Outages: 2, Longest: 1500 * time.Millisecond},
		{SID: 2, Name: "iqn.b", Passive: true, Down: time.Minute, Cause: "lost", LastErr: "refused"},
		{SID: 3, Name: "iqn.c", Ended: true},
	})
	want := "session 1 target iqn.a state up owner iscsiroot outages 2 longest 1.5 down 0.0\n" +
		"session 1 portal 10.0.0.1:3260\nsession 1 portal [fd00::1]:3260\n" +
		"session 2 target iqn.b state down owner iscsid outages 0 longest 0.0 down 60.0\n" +
		"session 2 cause \"lost\"\nsession 2 cause \"refused\"\n" +
		"session 3 target iqn.c state ended owner iscsiroot outages 0 longest 0.0 down 0.0\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestPauseIsReported(t *testing.T) {
	s := recovery.Status{SID: 1, Name: "iqn.a:t", NotBefore: 57500 * time.Millisecond}
	if got := reportSessions([]recovery.Status{s}); !strings.Contains(got, "\nsession 1 waits 57.5\n") {
		t.Errorf("report %q", got)
	}
	s.NotBefore = 0
	if got := reportSessions([]recovery.Status{s}); strings.Contains(got, "waits") {
		t.Errorf("report without a pause %q", got)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	for _, text := range []string{"one", "two"} {
		if err := replace(path, text); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); string(b) != text || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := replace(filepath.Join(path, "below"), ""); err == nil {
		t.Error("written below a file")
	}
}

func TestProgramRanges(t *testing.T) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	ranges := programRanges(string(b))
	here := uintptr(0)
	for _, r := range ranges {
		if r.from >= r.to {
			t.Errorf("range %x-%x", r.from, r.to)
		}
		here += r.to - r.from
	}
	if info, err := os.Stat("/proc/self/exe"); err != nil || here < uintptr(info.Size())/4 {
		t.Errorf("%d bytes of a program of %d bytes", here, info.Size())
	}
	if got := programRanges("zz-1 r-xp 0 0:0 5 x\n10-5 r-xp 0 0:0 5 x\nshort\n7f00-7fff r--p 0 0:0 0 \n"); got != nil {
		t.Errorf("from noise: %v", got)
	}
}

// The program is complete, whatever file was there before, and there is no other file.
func TestInstall(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, before := range map[string]func(t *testing.T, path string){
		"nothing": func(*testing.T, string) {},
		"half":    func(t *testing.T, path string) { write(t, path, program[:len(program)/2], 0o755) },
		"foreign": func(t *testing.T, path string) { write(t, path, []byte("#!/bin/sh\n"), 0o700) },
		"not to be executed": func(t *testing.T, path string) {
			write(t, path, program, 0o644)
		},
		"symlink": func(t *testing.T, path string) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink("/bin/sh", path)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a/program")
			before(t, path)
			var first os.FileInfo
			for i := range 2 { // the second time it is there
				if err := install(path); err != nil {
					t.Fatal(err)
				}
				info, err := os.Lstat(path)
				if err != nil || info.Mode() != 0o755 {
					t.Fatalf("%v, %v", info, err)
				}
				if first == nil {
					first = info
				} else if !os.SameFile(first, info) {
					t.Errorf("replaced by call %d", i+1)
				}
			}
			if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, program) {
				t.Errorf("%d bytes of %d, %v", len(b), len(program), err)
			}
			if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
				t.Errorf("beside it: %v, %v", all, err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil, 0o644)
	if err := install(filepath.Join(file, "below")); err == nil {
		t.Error("installed below a file")
	}
}

// write makes a file appear complete: another process may remove it at the moment it appears.
func write(t *testing.T, path string, b []byte, mode os.FileMode) {
	t.Helper()
	part := path + ".part"
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(part, b, mode), os.Chmod(part, mode), os.Rename(part, path)); err != nil {
		t.Fatal(err)
	}
}

// PID 1 and the agent may install at the same time.
func TestConcurrentInstall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	write(t, path, []byte("half a program"), 0o755)
	var tasks sync.WaitGroup
	for range 4 {
		tasks.Go(func() {
			if err := install(path); err != nil {
				t.Error(err)
			}
		})
	}
	tasks.Wait()
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("beside it: %v, %v", all, err)
	}
}

// A process is killed while it installs: there is either no program or a complete one.
func TestInstallKilled(t *testing.T) {
	if nstest.Part(t) == "installer" {
		fmt.Println("begin")
		if err := install(os.Getenv("INSTALL_PATH")); err != nil {
			t.Fatal(err)
		}
		return
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		path := filepath.Join(t.TempDir(), "program")
		installer := nstest.Child(t, "installer", 0)
		installer.Env = append(installer.Env, "INSTALL_PATH="+path)
		out, err := installer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := installer.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "begin" {
				time.Sleep(rand.N(3 * time.Millisecond))
				_ = installer.Process.Kill()
			}
		}
		_ = installer.Wait() // it may have been done in time
		all, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(all) > 1 {
			t.Fatalf("left behind: %v, %v", all, err)
		}
		for _, e := range all {
			if info, err := e.Info(); err != nil || info.Size() != own.Size() {
				t.Errorf("%v of %d bytes, %v", info, own.Size(), err)
			}
		}
	}
}
