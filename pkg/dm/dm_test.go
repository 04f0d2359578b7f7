package dm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

func TestMangle(t *testing.T) {
	for name, want := range map[string]string{
		"vg-root":                   "vg-root",
		"aZ09#+-.:=@_":              "aZ09#+-.:=@_",
		"a b\"é":                    `a\x20b\x22\xc3\xa9`, // as dmsetup did it, see testdata
		`\x20`:                      `\x5cx20`,
		"LVM-abc\x7f\x00\xff-tdata": `LVM-abc\x7f\x00\xff-tdata`,
		"":                          "",
	} {
		if got := Mangle(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// fake is a control that answers by a function, which may change the buffer.
func fake(answer func(command uint, b []byte) error) *Control {
	return &Control{close: func() error { return nil }, ioctl: answer}
}

func TestErrors(t *testing.T) {
	refuse := func(errno unix.Errno) *Control { return fake(func(uint, []byte) error { return errno }) }
	untouched := fake(func(command uint, _ []byte) error { panic(command) })
	zero := table.Table{{Start: 0, Length: 8, Target: table.Zero{}}}
	for name, c := range map[string]struct {
		err  error
		want error
		text string
	}{
		"exists":    {second(refuse(unix.EBUSY).Create("a", "u")), unix.EEXIST, `create dm device a: its name or uuid "u" is in use`},
		"busy":      {refuse(unix.EBUSY).Remove("a", 0), unix.EBUSY, "remove dm device a"},
		"missing":   {second(refuse(unix.ENXIO).Info("a")), unix.ENXIO, "look at dm device a"},
		"no name":   {untouched.Remove("", 0), unix.EINVAL, "no name"},
		"long name": {untouched.Remove(strings.Repeat("x", 128), 0), unix.ENAMETOOLONG, "128 bytes are more than 127"},
		"long uuid": {second(untouched.Create("a", strings.Repeat("x", 129))), unix.ENAMETOOLONG, "uuid: 129 bytes are more than 128"},
		"slash":     {second(untouched.Create("a/b", "")), unix.EINVAL, "'/' is not escaped"},
		"NUL":       {second(untouched.Create("a", "b\x00")), unix.EINVAL, "not escaped"},
		"table":     {untouched.Load("a", nil, 0), nil, "table of 0 lines"},
		"activate":  {second(untouched.Activate("a", "", nil, 0, 0)), nil, "table of 0 lines"},
		"load":      {second(refuseLoad(t).Activate("a", "", zero, 0, 0)), unix.EINVAL, "load dm device a"},
	} {
		if c.err == nil || c.want != nil && !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.want, c.text)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// refuseLoad makes a device and refuses its table; the test fails if the device is left.
func refuseLoad(t *testing.T) *Control {
	var commands []uint
	t.Cleanup(func() {
		if want := []uint{unix.DM_DEV_CREATE, unix.DM_TABLE_LOAD, unix.DM_DEV_REMOVE}; fmt.Sprint(commands) != fmt.Sprint(want) {
			t.Errorf("commands %x, want %x", commands, want)
		}
	})
	return fake(func(command uint, _ []byte) error {
		commands = append(commands, command)
		if command == unix.DM_TABLE_LOAD {
			return unix.EINVAL
		}
		return nil
	})
}

// The buffer grows until the kernel's answer fits, up to a limit.
func TestBufferGrows(t *testing.T) {
	const needed = 100 << 10
	var sizes []int
	c := fake(func(_ uint, b []byte) error {
		sizes = append(sizes, len(b))
		if len(b) < needed {
			native.PutUint32(b[offFlags:], unix.DM_BUFFER_FULL_FLAG)
			return nil
		}
		list := native.AppendUint64(nil, 8<<8|16)
		copy(b[headerLen:], append(native.AppendUint32(list, 0), "vg-root"...))
		return nil
	})
	if got, err := c.List(); err != nil || len(got) != 1 || got[0] != (Entry{"vg-root", table.Number{Major: 8, Minor: 16}}) {
		t.Errorf("%v, %v", got, err)
	}
	if want := "[16384 32768 65536 131072]"; fmt.Sprint(sizes) != want {
		t.Errorf("sizes %v, want %s", sizes, want)
	}
	full := fake(func(_ uint, b []byte) error {
		native.PutUint32(b[offFlags:], unix.DM_BUFFER_FULL_FLAG)
		return nil
	})
	if got, err := full.List(); !errors.Is(err, errAnswer) {
		t.Errorf("always full: %v, %v", got, err)
	}
}

// The text of a table is that which was loaded, without the space that the kernel prints at an end.
func TestTableText(t *testing.T) {
	const text = "0 8 zero\n8 2040 linear 8:16 384\n2048 1 multipath 0 0 1 1 x\n"
	lines := []Status{{0, 8, "zero", ""}, {8, 2040, "linear", "8:16 384"}, {2048, 1, "multipath", "0 0 1 1 x "}}
	c := fake(func(_ uint, b []byte) error {
		if native.Uint32(b[offFlags:])&unix.DM_STATUS_TABLE_FLAG == 0 {
			return unix.EINVAL
		}
		native.PutUint32(b[offTargets:], uint32(len(lines)))
		copy(b[headerLen:], marshalStatus(lines))
		return nil
	})
	if got, err := c.TableText("a"); err != nil || got != text {
		t.Errorf("%q, %v, want %q", got, err, text)
	}
	refused := fake(func(uint, []byte) error { return unix.ENXIO })
	if got, err := refused.TableText("a"); !errors.Is(err, unix.ENXIO) || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// Open makes the node that is not there, and returns the loader's error with its own.
func TestOpen(t *testing.T) {
	loadErr := errors.New("no such module")
	dev := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dev, controlNode), 0o755); err != nil { // no file can be opened there
		t.Fatal(err)
	}
	loaded := false
	c, err := open(dev, func() error { loaded = true; return loadErr })
	if !errors.Is(err, unix.EISDIR) || !errors.Is(err, loadErr) || !loaded {
		t.Errorf("%v, %v; loaded %v", c, err, loaded)
	}
}

// dmsetup's requests are read from testdata: number of the command, size of the buffer, bytes.
type recorded struct {
	arguments string // of dmsetup
	command   uint
	bytes     []byte
}

func readRecorded(t testing.TB) []recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/dmsetup-1.02.185.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	arguments := ""
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "# dmsetup "); ok {
			arguments = strings.TrimSpace(after)
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		var r recorded
		var size int
		var digits string
		if n, err := fmt.Sscan(line, &r.command, &size, &digits); n != 3 {
			t.Fatal(line, err)
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		r.arguments, r.bytes = arguments, append(b, make([]byte, size-len(b))...)
		out = append(out, r)
	}
	return out
}

// What this package passes to the kernel is what dmsetup passes, but for the version of messages,
// for a flag that the kernel does not read in requests (DM_EXISTS_FLAG), and for the cookie.
func TestRequestsAreThoseOfDmsetup(t *testing.T) {
	linear := table.Linear{Dev: table.Number{Major: 8, Minor: 16}, Offset: 384}
	two := table.Table{{Start: 0, Length: 8, Target: table.Zero{}}, {Start: 8, Length: 2040, Target: linear}}
	calls := map[string]func(c *Control){
		"create vg-root --uuid LVM-abc --table 0\\ 2048\\ linear\\ 8:16\\ 384": func(c *Control) { _, _ = c.Create("vg-root", "LVM-abc") },
		"load vg-root --table $'0 8 zero\\n8 2040 linear 8:16 384'":            func(c *Control) { _ = c.Load("vg-root", two, 0) },
		"load --readonly vg-root --table 0\\ 8\\ error": func(c *Control) {
			_ = c.Load("vg-root", table.Table{{Start: 0, Length: 8, Target: table.Error{}}}, ReadOnly)
		},
		"resume vg-root":                       func(c *Control) { _, _ = c.Resume("vg-root", 0, 0) },
		"suspend --noflush --nolockfs vg-root": func(c *Control) { _ = c.Suspend("vg-root", NoFlush|SkipLockFS) },
		"message vg-root 0 fail_path 8:16":     func(c *Control) { _, _ = c.Message("vg-root", 0, "fail_path 8:16") },
		"status --noflush vg-root":             func(c *Control) { _, _ = c.Status("vg-root") },
		"deps vg-root":                         func(c *Control) { _, _ = c.Deps("vg-root") },
		"remove --deferred vg-root":            func(c *Control) { _ = c.Remove("vg-root", Deferred) },
		"info vg-root":                         func(c *Control) { _, _ = c.Info("vg-root") },
		"ls":                                   func(c *Control) { _, _ = c.List() },
		"create a\\ b\\\"é --notable":          func(c *Control) { _, _ = c.Create(Mangle("a b\"é"), "") },
	}
	seen := map[string]bool{}
	for _, r := range readRecorded(t) {
		call, ok := calls[r.arguments]
		if !ok || seen[r.arguments] {
			continue // a later request of the same command, or table, which flushes
		}
		seen[r.arguments] = true
		var got []byte
		var command uint
		call(fake(func(c uint, b []byte) error {
			command, got = c&0xff, bytes.Clone(b)
			return unix.ENOTTY
		}))
		const exists = 1 << 2 // DM_EXISTS_FLAG
		want := bytes.Clone(r.bytes)
		native.PutUint32(want[offFlags:], native.Uint32(want[offFlags:])&^exists)
		copy(want[4:8], got[4:8])                         // the minor version
		copy(want[offEvent:offDev], got[offEvent:offDev]) // the cookie
		if command != r.command || !bytes.Equal(got, want) {
			t.Errorf("dmsetup %s: command %d, want %d\n got %x\nwant %x", r.arguments, command, r.command, bytes.TrimRight(got, "\x00"), bytes.TrimRight(want, "\x00"))
		}
	}
	if len(seen) != len(calls) {
		t.Errorf("of %d commands %d are recorded", len(calls), len(seen))
	}
}

func TestCookies(t *testing.T) {
	var cookie uint32
	c := fake(func(_ uint, b []byte) error {
		cookie = native.Uint32(b[offEvent:])
		return nil
	})
	for want, call := range map[uint32]func(){
		0x0040_0000: func() { _, _ = c.Resume("a", 0, 0) },
		0x004e_0000: func() { _, _ = c.Resume("a", Hidden, 0) },
		0x0050_0000: func() { _, _ = c.Resume("a", LowPriority, 0) },
		0x0041_0000: func() { _, _ = c.Resume("a", NoDMRules, 0) },
		0:           func() { _ = c.Suspend("a", 0) },
	} {
		if call(); cookie != want {
			t.Errorf("cookie %#x, want %#x", cookie, want)
		}
	}
}
