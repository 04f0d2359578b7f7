package switchroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes a root file system: a path that ends with "/" is a directory, "->" begins the target
// of a link, "0" a file of that mode without x.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		full := filepath.Join(dir, path)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		link, isLink := strings.CutPrefix(text, "->")
		plain, isPlain := strings.CutPrefix(text, "0")
		switch {
		case err != nil:
		case strings.HasSuffix(path, "/"):
			err = os.MkdirAll(full, 0o755)
		case isLink:
			err = os.Symlink(link, full)
		case isPlain:
			err = os.WriteFile(full, []byte(plain), 0o644)
		default:
			err = os.WriteFile(full, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// chain is n scripts /s1, /s2, ... that each name the next, and last behind them.
func chain(n int, last string) map[string]string {
	files := map[string]string{}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("s%d", i)] = fmt.Sprintf("#!/s%d\n", i+1)
	}
	files[fmt.Sprintf("s%d", n+1)] = last
	return files
}

func TestFindInit(t *testing.T) {
	all := heads(t)
	static, dynamic := string(all[runtime.GOARCH+"-static"]), string(all[runtime.GOARCH+"-dynamic"])
	prog, err := readProgram(strings.NewReader(dynamic), runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	loader := prog.interpreter
	for _, tt := range []struct {
		name  string
		files map[string]string
		inits []string // nil: the default
		want  string
		text  string // of the error
	}{
		{name: "first", files: map[string]string{"sbin/init": static, "bin/init": static}, want: "/sbin/init"},
		{name: "third", files: map[string]string{"bin/init": static}, want: "/bin/init"},
		{name: "a broken one is ignored", files: map[string]string{"sbin/init": "0" + static, "bin/init": static}, want: "/bin/init"},
		{name: "given", files: map[string]string{"sbin/init": static, "opt/my": static}, inits: []string{"/opt/my"}, want: "/opt/my"},
		{name: "absolute links stay inside", files: map[string]string{"sbin": "->/usr/sbin", "usr/sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": static}, want: "/sbin/init"},
		{name: "links do not climb out", files: map[string]string{"sbin/init": "->../../../../../../../../bin/sh", "bin/sh": static}, want: "/sbin/init"},
		{name: "dynamic", files: map[string]string{"sbin/init": dynamic, loader: static}, want: "/sbin/init"},
		{name: "loader names a loader", files: map[string]string{"sbin/init": dynamic, loader: dynamic}, want: "/sbin/init"},
		{name: "script", files: map[string]string{"sbin/init": "#!/bin/sh\n", "bin/sh": "->busybox", "bin/busybox": static}, want: "/sbin/init"},
		{name: "five scripts", files: chain(5, static), inits: []string{"/s1"}, want: "/s1"},
		{name: "five scripts and a dynamic program", files: with(chain(5, dynamic), loader, static), inits: []string{"/s1"}, want: "/s1"},

		{name: "none", files: map[string]string{"etc/": ""}, text: "init /sbin/init on /dev/sda2: file does not exist"},
		{name: "the broken one is told", files: map[string]string{"etc/init": "0" + static}, text: "init /etc/init on /dev/sda2: not executable: run chmod 755 on it"},
		{name: "directory", files: map[string]string{"sbin/init/": ""}, text: "init /sbin/init on /dev/sda2: is not a file"},
		{name: "no loader", files: map[string]string{"sbin/init": dynamic}, text: "init /sbin/init on /dev/sda2: needs " + loader + ": file does not exist"},
		{name: "loader is a script", files: map[string]string{"sbin/init": dynamic, loader: "#!/bin/sh\n"}, text: "init /sbin/init on /dev/sda2: needs " + loader + ": neither an ELF program nor a script"},
		{name: "no interpreter", files: map[string]string{"sbin/init": "#!/bin/bash\n"}, text: "init /sbin/init on /dev/sda2: needs /bin/bash: file does not exist"},
		{name: "written on another system", files: map[string]string{"sbin/init": "#!/bin/sh\r\n", "bin/sh": static}, text: "init /sbin/init on /dev/sda2: needs /bin/sh\r: file does not exist"},
		{name: "six scripts", files: chain(6, static), inits: []string{"/s1"}, text: "init /s1 on /dev/sda2: needs /s2: needs /s3: needs /s4: needs /s5: needs /s6: needs /s7: interpreter loop"},
		{name: "script names itself", files: map[string]string{"s": "#!/s\n"}, inits: []string{"/s"}, text: "init /s on /dev/sda2: " + strings.Repeat("needs /s: ", 6) + "interpreter loop"},
		{name: "link loop", files: map[string]string{"sbin/init": "->/sbin/other", "sbin/other": "->init"}, text: "init /sbin/init on /dev/sda2: too many levels of symbolic links"},
		{name: "wrong machine", files: map[string]string{"sbin/init": string(all["s390x-static"])}, text: "init /sbin/init on /dev/sda2: built for another kind of machine: big-endian"},
		{name: "not a program", files: map[string]string{"sbin/init": "hello\n"}, text: "init /sbin/init on /dev/sda2: neither an ELF program nor a script"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inits := tt.inits
			if inits == nil {
				inits = DefaultInits()
			}
			got, err := FindInit(tree(t, tt.files), "/dev/sda2", inits)
			if got != tt.want || (err == nil) != (tt.text == "") {
				t.Fatalf("%q, %v", got, err)
			}
			var ie *InitError
			if err != nil && (!errors.As(err, &ie) || err.Error() != tt.text || ie.Root != "/dev/sda2") {
				t.Errorf("got  %q\nwant %q", err, tt.text)
			}
		})
	}
}

func with(files map[string]string, path, text string) map[string]string {
	files[path] = text
	return files
}

// A FIFO must not block the boot, and a root that does not exist is an error.
func TestFindInitOddities(t *testing.T) {
	dir := tree(t, map[string]string{"sbin/": ""})
	if err := unix.Mkfifo(filepath.Join(dir, "sbin/init"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := FindInit(dir, "/dev/sda2", DefaultInits()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("got %v", err)
	}
	if _, err := FindInit(filepath.Join(dir, "none"), "/dev/sda2", DefaultInits()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	err := error(&InitError{"/dev/sda2", "/sbin/init", unix.EIO})
	if !errors.Is(err, unix.EIO) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestMountPoints(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string
		text  string
	}{
		{"all there", map[string]string{"dev/": "", "proc/": "", "sys/": "", "run/": ""}, []string{"/dev", "/proc", "/sys", "/run"}, ""},
		{"all made", nil, []string{"/dev", "/proc", "/sys", "/run"}, ""},
		{"run is a link", map[string]string{"run": "->/var/run"}, []string{"/dev", "/proc", "/sys"}, ""},
		{
			"files instead",
			map[string]string{"proc": "0", "sys": "->dev"},
			nil,
			"root /dev/sda2 has no directory /proc, /sys to mount on: not a directory: create it",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := MountPoints(tree(t, tt.files), "/dev/sda2")
			if !slices.Equal(got, tt.want) || (err == nil) != (tt.text == "") || err != nil && err.Error() != tt.text {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
