//go:build linux

package modload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// fakeKernel takes every module but those it has an error for, and records the requests, as
// commands of modprobe.
type fakeKernel struct {
	mu     sync.Mutex
	log    []string
	refuse map[string]error // by base name of the file
	hold   chan struct{}    // if set, each finit waits for it
}

func (k *fakeKernel) note(verb string, base, params string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, strings.TrimSpace(verb+" "+base+" "+params))
	return k.refuse[base]
}

func (k *fakeKernel) finit(fd int, params string, flags int) error {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return err
	}
	if k.hold != nil {
		<-k.hold
	}
	verb := "insmod"
	if flags == unix.MODULE_INIT_COMPRESSED_FILE {
		verb = "insmod-compressed"
	}
	return k.note(verb, filepath.Base(name), params)
}

func (k *fakeKernel) unpack(f *os.File, params string) error {
	return k.note("unpack", filepath.Base(f.Name()), params)
}

func (k *fakeKernel) transcript() string { return strings.Join(k.log, "\n") }

const testDep = `kernel/top.ko: kernel/left.ko kernel/right.ko kernel/base.ko
kernel/left.ko: kernel/base.ko
kernel/right.ko: kernel/base.ko
kernel/base.ko:
kernel/helper.ko:
kernel/packed.ko.xz:
kernel/gone.ko:
`

// newTree writes a small module tree, opens it and puts a fake kernel below the loader.
func newTree(t *testing.T, opts Options) (*Loader, *fakeKernel) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep":     testDep,
		"modules.softdep": "softdep top pre: helper\n",
		"modules.alias":   "alias bus:* left\nalias bus:1* right\n",
		"kernel/top.ko":   "", "kernel/left.ko": "", "kernel/right.ko": "", "kernel/base.ko": "",
		"kernel/helper.ko": "", "kernel/packed.ko.xz": "",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	idx, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKernel{refuse: map[string]error{}}
	l := New(idx, dir, opts)
	l.kernel = kernel{finit: k.finit, unpack: k.unpack, sys: filepath.Join(dir, "sys")}
	return l, k
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoadOrderAndParams(t *testing.T) {
	l, k := newTree(t, Options{Params: map[string]string{"right": "a=1 b=2"}})
	for range 2 { // the second time there is nothing left to do
		if err := l.Load(t.Context(), "top"); err != nil {
			t.Fatal(err)
		}
	}
	want := "insmod helper.ko\ninsmod base.ko\ninsmod right.ko a=1 b=2\ninsmod left.ko\ninsmod top.ko"
	if diff := cmp.Diff(want, k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadSkipsWhatIsLive(t *testing.T) {
	l, k := newTree(t, Options{})
	writeFile(t, filepath.Join(l.kernel.sys, "module/base/initstate"), "live\n")
	writeFile(t, filepath.Join(l.kernel.sys, "module/left/initstate"), "coming\n")
	k.refuse["left.ko"] = unix.EEXIST
	if err := l.Load(t.Context(), "left"); err != nil {
		t.Fatal(err)
	}
	if got := k.transcript(); got != "insmod left.ko" {
		t.Errorf("got %q", got)
	}
}

func TestSoftDependencyMayFail(t *testing.T) {
	var lines []string
	l, k := newTree(t, Options{Debugf: func(f string, a ...any) { lines = append(lines, fmt.Sprintf(f, a...)) }})
	k.refuse["helper.ko"] = unix.ENODEV
	if err := l.Load(t.Context(), "top"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines[0], "soft dependency of top: load module helper:") {
		t.Errorf("debug lines: %q", lines)
	}
}

func TestFailedModuleCanBeTriedAgain(t *testing.T) {
	l, k := newTree(t, Options{})
	k.refuse["base.ko"] = unix.ENOMEM
	err := l.Load(t.Context(), "left")
	var le *LoadError
	if !errors.As(err, &le) || le.Module != "base" || !errors.Is(err, unix.ENOMEM) {
		t.Fatalf("got %v", err)
	}
	delete(k.refuse, "base.ko")
	if err := l.Load(t.Context(), "left"); err != nil {
		t.Fatal(err)
	}
	if got := k.transcript(); got != "insmod base.ko\ninsmod base.ko\ninsmod left.ko" {
		t.Errorf("got %q", got)
	}
}

func TestForeignModuleIsExplained(t *testing.T) {
	l, k := newTree(t, Options{})
	k.refuse["base.ko"] = unix.ENOEXEC
	err := l.Load(t.Context(), "base")
	want := "load module base: " + l.dir + "/kernel/base.ko: exec format error (the module was built for another kernel release than the running one)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestMissingFileAndName(t *testing.T) {
	l, _ := newTree(t, Options{})
	err := l.Load(t.Context(), "gone")
	var missing *MissingError
	if !errors.As(err, &missing) || missing.File != l.dir+"/kernel/gone.ko" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	err = l.Load(t.Context(), "unheard-of")
	var nf *kmod.NotFoundError
	if !errors.As(err, &nf) || nf.Name != "unheard-of" {
		t.Errorf("unknown name: %v", err)
	}
}

func TestAliasOfSeveral(t *testing.T) {
	l, k := newTree(t, Options{})
	k.refuse["left.ko"] = unix.ENODEV
	if err := l.Load(t.Context(), "bus:17"); err != nil {
		t.Errorf("right loads, so the alias does: %v", err)
	}
	k.refuse["right.ko"] = unix.ENODEV
	l.idx = l.idx.WithConfig(kmod.Config{Blacklist: map[string]bool{"right": true}})
	if err := l.Load(t.Context(), "bus:17"); err != nil {
		t.Errorf("right is not to be loaded, so nothing has failed: %v", err)
	}
	l2, _ := newTree(t, Options{})
	l2.kernel.finit = k.finit
	if err := l2.Load(t.Context(), "bus:17"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("neither loads: %v", err)
	}
}

func TestCompressedModule(t *testing.T) {
	for _, c := range []struct {
		kernel string // what it unpacks itself
		err    error
		want   string
		ok     bool
	}{
		{"xz", nil, "insmod-compressed packed.ko.xz", true},
		{"xz", unix.EEXIST, "insmod-compressed packed.ko.xz", true},
		{"xz", unix.EOPNOTSUPP, "insmod-compressed packed.ko.xz\nunpack packed.ko.xz", true},
		{"xz", unix.EINVAL, "insmod-compressed packed.ko.xz\nunpack packed.ko.xz", true},
		{"xz", unix.ENOSYS, "insmod-compressed packed.ko.xz\nunpack packed.ko.xz", true},
		{"xz", unix.ENOEXEC, "insmod-compressed packed.ko.xz", false},
		{"zstd", nil, "unpack packed.ko.xz", true},
		{"", nil, "unpack packed.ko.xz", true},
	} {
		l, k := newTree(t, Options{})
		if c.kernel != "" {
			writeFile(t, filepath.Join(l.kernel.sys, "module/compression"), c.kernel+"\n")
		}
		l.kernel.finit = func(fd int, params string, flags int) error {
			_ = k.finit(fd, params, flags)
			return c.err
		}
		if err := l.Load(t.Context(), "packed"); (err == nil) != c.ok {
			t.Errorf("%s, %v: got %v", c.kernel, c.err, err)
		}
		if diff := cmp.Diff(c.want, k.transcript()); diff != "" {
			t.Errorf("%s, %v: -want +got:\n%s", c.kernel, c.err, diff)
		}
	}
}

// TestConcurrentLoads: left and right share base, which is loaded once, and both wait for it.
func TestConcurrentLoads(t *testing.T) {
	l, k := newTree(t, Options{})
	synctest.Test(t, func(t *testing.T) {
		k.hold = make(chan struct{})
		errs := make(chan error, 2)
		for _, name := range []string{"left", "right"} {
			go func() { errs <- l.Load(t.Context(), name) }()
		}
		synctest.Wait()
		if len(k.log) != 0 {
			t.Errorf("loaded without the kernel: %v", k.log)
		}
		k.hold <- struct{}{} // base
		synctest.Wait()
		if got := k.transcript(); got != "insmod base.ko" {
			t.Errorf("after the first: %q", got)
		}
		k.hold <- struct{}{} // left and right are both at the kernel now
		k.hold <- struct{}{}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
	if len(k.log) != 3 {
		t.Errorf("got %q", k.transcript())
	}
}

func TestCancel(t *testing.T) {
	l, k := newTree(t, Options{})
	synctest.Test(t, func(t *testing.T) {
		k.hold = make(chan struct{})
		first := make(chan error, 1)
		go func() { first <- l.Load(t.Context(), "base") }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() { second <- l.Load(ctx, "base") }()
		synctest.Wait()
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: %v", err)
		}
		k.hold <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := l.Load(ctx, "left"); !errors.Is(err, context.Canceled) {
			t.Errorf("before the first module: %v", err)
		}
	})
}

// A soft dependency for processors that this machine does not have is not even tried.
func TestSoftDependencyForOtherProcessor(t *testing.T) {
	for cpu, want := range map[string]bool{"cpu:x,0001\n": false, "cpu:x,0094\n": true, "": true} {
		l, k := newTree(t, Options{})
		writeFile(t, filepath.Join(l.dir, "modules.alias"), "alias cpu:*0094* helper\n")
		idx, err := kmod.Read(os.DirFS(l.dir))
		if err != nil {
			t.Fatal(err)
		}
		l.idx = idx
		if cpu != "" {
			writeFile(t, filepath.Join(l.kernel.sys, "devices/system/cpu/modalias"), cpu)
		}
		if err := l.Load(t.Context(), "top"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(k.transcript(), "helper"); got != want {
			t.Errorf("on %q it was tried: %v\n%s", cpu, got, k.transcript())
		}
	}
}

// The processor time of each Load is passed on, also of one that fails.
func TestMeasure(t *testing.T) {
	l, _ := newTree(t, Options{})
	var loads, lines int
	var total time.Duration
	l.Measure(func(d time.Duration) {
		total += d
		if d > 0 {
			loads++
		} else {
			lines++
		}
	})
	_ = l.Load(t.Context(), "top")
	_ = l.Load(t.Context(), "nothing")
	if loads != 2 || lines == 0 || total <= 0 {
		t.Errorf("%d loads and %d lines took %v", loads, lines, total)
	}
}
