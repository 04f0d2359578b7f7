//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// faults writes to root without pause and runs the commands that the host sends on the console, one
// a line.
func faults() error {
	// A command during an outage must not wait for a page of the program from root.
	if err := unix.Mlockall(unix.MCL_CURRENT); err != nil {
		return err
	}
	w := &writer{stop: make(chan struct{}), done: make(chan struct{})}
	go w.run("/data")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "end" {
			break
		}
		if err := command(words); err != nil {
			say("%s: error: %v", words[0], err)
		}
	}
	close(w.stop)
	<-w.done
	return w.err
}

// command runs one command of the host.
func command(words []string) error {
	arg := strings.Join(words[1:], " ")
	switch words[0] {
	case "mark": // what came before was done
		say("mark %s", arg)
		return nil
	case "signal":
		return signalAgent(words[1:])
	case "pressure":
		return pressure("/data/big", 24<<20)
	case "expire":
		return os.WriteFile("/sys/class/iscsi_session/session2/recovery_tmo", []byte(arg), 0)
	case "read":
		go readDisk(arg)
		return nil
	case "agent":
		return showAgent()
	case "arrays":
		return showArrays()
	case "paths":
		return showPaths()
	case "stall":
		return stall(arg)
	case "rescan":
		return os.WriteFile("/sys/class/block/"+arg+"/device/rescan", []byte("1"), 0)
	case "holds":
		return agentHolds()
	case "halves":
		return halves()
	case "fill":
		return fill(arg)
	case "empty":
		return empty(arg)
	case "run":
		out, err := exec.Command(words[1], words[2:]...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			say("out: %s", line)
		}
		return err
	}
	if known, err := links(words); known {
		return err
	}
	return fmt.Errorf("unknown command")
}

// tellEvery is the number of files after which the writer prints their count; the host waits for
// two such lines.
const tellEvery = 3

// writer writes files of 64 KiB, each synced before the next.
type writer struct {
	stop, done chan struct{}
	err        error
}

func (w *writer) run(dir string) {
	defer close(w.done)
	sums, files := "", 0
	random := rand.NewChaCha8([32]byte{3})
	buf := make([]byte, 64<<10)
	longest := time.Duration(0)
	w.err = os.MkdirAll(dir, 0o755)
	for w.err == nil {
		_, _ = random.Read(buf)
		name := fmt.Sprintf("load%04d", files)
		began := time.Now()
		if w.err = writeSynced(filepath.Join(dir, name), buf); w.err != nil {
			break
		}
		took := time.Since(began)
		longest = max(longest, took)
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(buf), name)
		files++
		if took > 500*time.Millisecond {
			say("file %d took %.1f s", files, took.Seconds())
		}
		if files%tellEvery == 0 {
			say("%d files", files)
		}
		select {
		case <-w.stop:
			big, err := os.ReadFile(filepath.Join(dir, "big"))
			if err == nil {
				sums += fmt.Sprintf("%x  big\n", sha256.Sum256(big))
				files++
			}
			w.err = writeSynced(filepath.Join(dir, "SHA256SUMS"), []byte(sums))
			say("loaded %d files, the longest took %.1f s", files, longest.Seconds())
			return
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// signalAgent sends a signal to the processes of a name: NUMBER NAME.
func signalAgent(words []string) error {
	if len(words) != 2 {
		return errors.New("NUMBER NAME")
	}
	number, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	say("sent signal %d to %d of %s", number, eachAgent(words[1], func(pid int) error { return unix.Kill(pid, syscall.Signal(number)) }), words[1])
	return nil
}

// pressure fills all memory but a little, half of it with dirty pages of root, and ends when all of
// them are on the disk.
func pressure(path string, leave int64) error {
	free, err := available()
	if err != nil {
		return err
	}
	size := free - leave
	hold, err := unix.Mmap(-1, 0, int(size/2), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := 0; i < len(hold); i += os.Getpagesize() {
		hold[i] = 1
	}
	say("pressure: %d MiB taken", len(hold)>>20)
	go func() {
		err := writeBig(path, size)
		err = errors.Join(err, unix.Munmap(hold))
		if err != nil {
			say("pressure: error: %v", err)
			return
		}
		say("pressure: wrote %d MiB", size>>20)
	}()
	return nil
}

// writeBig writes without a sync until its end.
func writeBig(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{4})
	if _, err = io.CopyN(f, struct{ io.Reader }{random}, size); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// available is MemAvailable in bytes.
func available() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "MemAvailable:")
	var kib int64
	_, err = fmt.Sscan(rest, &kib)
	return kib << 10, err
}

// readDisk reads a block of a disk without the page cache and prints the result.
func readDisk(name string) {
	read := func() error {
		fd, err := unix.Open("/dev/"+name, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		raw := make([]byte, 8192)
		at := 4096 - int(uintptr(unsafe.Pointer(&raw[0]))%4096)
		_, err = unix.Read(fd, raw[at:at+4096])
		return err
	}
	err := read()
	state, _ := os.ReadFile("/sys/class/block/" + name + "/device/state")
	say("read %s: %v, %s", name, err, bytes.TrimSpace(state))
}

// eachAgent calls do for each process of a name and returns the number of calls without an error.
func eachAgent(name string, do func(pid int) error) int {
	n := 0
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		argv0, _, _ := strings.Cut(string(b), "\x00")
		if err != nil || argv0 != name && (name != "@" || !strings.HasPrefix(argv0, "@iscsiroot")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && do(pid) == nil {
			n++
		}
	}
	return n
}

// agentHolds reports the files of the root file system that the agent's processes have open,
// mapped, or as a directory.
func agentHolds() error {
	var root unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		return err
	}
	device := fmt.Sprintf("%02x:%02x", unix.Major(root.Dev), unix.Minor(root.Dev))
	mounted := fmt.Sprintf(" %d:%d ", unix.Major(root.Dev), unix.Minor(root.Dev))
	held := 0
	looked := eachAgent("@", func(pid int) error {
		dir := fmt.Sprintf("/proc/%d/", pid)
		files, _ := filepath.Glob(dir + "fd/*")
		for _, f := range append(files, dir+"cwd", dir+"root", dir+"exe") {
			var st unix.Stat_t
			if unix.Stat(f, &st) == nil && st.Dev == root.Dev {
				held++
				say("held: %s", f)
			}
		}
		mounts, _ := os.ReadFile(dir + "mountinfo")
		if strings.Contains(string(mounts), mounted) {
			held++
			say("held: root is mounted in the agent's namespace")
		}
		maps, err := os.ReadFile(dir + "maps")
		for line := range strings.Lines(string(maps)) {
			if f := strings.Fields(line); len(f) > 3 && f[3] == device {
				held++
				say("held: %s", line)
			}
		}
		return err
	})
	say("%d agents hold %d files of root", looked, held)
	return nil
}
