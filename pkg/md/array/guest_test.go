package array

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

func TestMain(m *testing.M) {
	vmtest.Main()
	os.Exit(m.Run())
}

// modules of the levels, and of the devices that members are: loop devices, and one SCSI disk of 8
// MiB, which can go.
var kernelModules = []string{"md_mod", "raid0", "raid1", "raid10", "raid456", "linear", "loop", "scsi_debug", "sd_mod"}

// A real kernel runs what real mdadm has made, and mdadm finds right what this package did.
func TestKernel(t *testing.T) {
	vmtest.Run(t, vmtest.Machine{Modules: kernelModules, Mdadm: true}, func() {
		g := &guest{T: t, Paths: Paths{Sys: "/sys", Dev: "/dev"}}
		g.makeLoops(5)
		g.levels()
		g.refusals()
		g.powerCut()
		g.late()
		g.lost()
	})
}

type guest struct {
	*testing.T
	Paths
	files []string // below the loop devices
	loops []string // "/dev/loop0"
}

const loopMiB = 8

func (g *guest) makeLoops(n int) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		g.Fatal(err)
	}
	for i := range n {
		path := fmt.Sprintf("/tmp/disk%d", i)
		file, err := os.Create(path)
		if err != nil {
			g.Fatal(err)
		}
		if err := file.Truncate(loopMiB << 20); err != nil {
			g.Fatal(err)
		}
		index, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			g.Fatal(err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", index), os.O_RDWR, 0)
		if err != nil {
			g.Fatal(err)
		}
		if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(file.Fd())); err != nil {
			g.Fatal(err)
		}
		g.files, g.loops = append(g.files, path), append(g.loops, loop.Name())
		g.check(errors.Join(loop.Close(), file.Close()))
	}
	g.check(control.Close())
}

func (g *guest) check(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// mdadm runs it, without udev, and returns its output.
func (g *guest) mdadm(args ...string) string {
	g.Helper()
	c := exec.Command("/sbin/mdadm", args...)
	c.Env = append(os.Environ(), "MDADM_NO_UDEV=1")
	out, err := c.CombinedOutput()
	if err != nil {
		g.Fatalf("mdadm %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// create makes an array, and stops it. Words are devices, and options of mdadm.
func (g *guest) create(level string, words ...string) {
	g.Helper()
	devices := 0
	for _, w := range words {
		if strings.HasPrefix(w, "/dev/") {
			devices++
		}
	}
	args := []string{"--create", "/dev/md99", "--run", "--homehost=lab", "--name=a", "--level=" + level, "--raid-devices=" + strconv.Itoa(devices)}
	g.mdadm(append(args, words...)...)
	g.mdadm("--stop", "/dev/md99")
	g.goneArray("md99")
}

// goneArray waits until the kernel has removed an array that was stopped.
func (g *guest) goneArray(name string) {
	g.Helper()
	g.until(name+" is gone", func() bool {
		_, err := os.Stat("/sys/block/" + name)
		return errors.Is(err, fs.ErrNotExist)
	})
}

func (g *guest) until(what string, done func() bool) {
	g.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.Fatal(what, " is not so within a minute: ", fmt.Sprint(g.State("md127")))
		}
	}
}

// number is that of a device in /dev.
func (g *guest) number(device string) Number {
	g.Helper()
	var st unix.Stat_t
	g.check(unix.Stat(device, &st))
	return Number{unix.Major(st.Rdev), unix.Minor(st.Rdev)}
}

func (g *guest) numbers(devices []string) []Number {
	g.Helper()
	var out []Number
	for _, d := range devices {
		out = append(out, g.number(d))
	}
	return out
}

// contents of the files below the loop devices.
func (g *guest) contents() [][]byte {
	g.Helper()
	var out [][]byte
	for _, path := range g.files {
		b, err := os.ReadFile(path)
		g.check(err)
		out = append(out, b)
	}
	return out
}

func (g *guest) state() State {
	g.Helper()
	s, err := g.State("md127")
	g.check(err)
	return s
}

// written is how many sectors were written to a device.
func (g *guest) written(device string) int {
	g.Helper()
	text, err := readText("/sys/class/block/" + filepath.Base(device) + "/stat")
	g.check(err)
	n, err := strconv.Atoi(strings.Fields(text)[6])
	g.check(err)
	return n
}

// start starts md127 of loop devices by their indexes.
func (g *guest) start(loops ...int) error {
	var members []Number
	for _, i := range loops {
		members = append(members, g.number(g.loops[i]))
	}
	return g.Start("md127", 2, members)
}

// same: what is below the loop devices is what it was before.
func (g *guest) same(what string, before [][]byte) {
	g.Helper()
	for i, now := range g.contents() {
		if !bytes.Equal(now, before[i]) {
			g.Errorf("%s: member %d has changed", what, i)
		}
	}
}

// stopped stops md127: of it nothing is left, no parameter has changed, and no member is in use.
func (g *guest) stopped() {
	g.Helper()
	g.check(g.Stop("md127"))
	g.nothingLeft()
}

func (g *guest) nothingLeft() {
	g.Helper()
	g.goneArray("md127")
	if ro, err := readText(g.parameter("start_ro")); err != nil || ro != "0" {
		g.Errorf("start_ro is %q, %v", ro, err)
	}
	for _, d := range g.loops {
		f, err := os.OpenFile(d, os.O_RDWR|unix.O_EXCL, 0)
		if err != nil {
			g.Error(err)
		}
		_ = f.Close()
	}
}

// use opens the array as a mount does.
func (g *guest) use() *os.File {
	g.Helper()
	f, err := os.OpenFile("/dev/md127", os.O_RDWR|unix.O_EXCL, 0)
	g.check(err)
	return f
}

func (g *guest) write(f *os.File, at int64, with byte) {
	g.Helper()
	_, err := f.WriteAt(bytes.Repeat([]byte{with}, 4096), at)
	g.check(errors.Join(err, f.Sync()))
}

// whole waits until the array is, and at rest.
func (g *guest) whole() {
	g.Helper()
	g.until("the array is whole", func() bool {
		s := g.state()
		return s.Degraded == 0 && s.SyncAction == "idle" && s.ArrayState == "clean"
	})
}

// detail looks for a line in what mdadm has about the array.
func (g *guest) detail(want ...string) {
	g.Helper()
	text := strings.Join(strings.Fields(g.mdadm("--detail", "/dev/md127")), " ")
	for _, w := range want {
		if !strings.Contains(text, w) {
			g.Errorf("no %q in %s", w, text)
		}
	}
}
