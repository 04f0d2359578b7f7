package redundancy

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

func TestMain(m *testing.M) {
	vmtest.Main()
	if vmtest.Inside() {
		os.Exit(m.Run())
	}
	nstest.Main(m)
}

// With a real kernel: a disk that LIO exports, one below a loop device and one that a program
// writes to are in use; one that a program reads is not. configfs is mounted nowhere while that is
// looked at.
func TestKernelOpens(t *testing.T) {
	m := vmtest.Machine{Modules: []string{"brd", "loop", "target_core_mod", "target_core_iblock"}}
	vmtest.Run(t, m, func() {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		const config = "/sys/kernel/config"
		must(unix.Mount("configfs", config, "configfs", 0, ""))
		dir := filepath.Join(config, "target/core/iblock_0/one")
		must(os.MkdirAll(dir, 0o755))
		must(os.WriteFile(filepath.Join(dir, "control"), []byte("udev_path=/dev/ram0\n"), 0))
		must(os.WriteFile(filepath.Join(dir, "enable"), []byte("1\n"), 0))
		must(unix.Unmount(config, 0))

		below, err := os.OpenFile("/dev/ram1", os.O_RDWR, 0)
		must(err)
		loop, err := os.OpenFile("/dev/loop0", os.O_RDWR, 0)
		must(err)
		must(unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(below.Fd())))
		must(below.Close())

		written, err := os.OpenFile("/dev/ram2", os.O_RDWR, 0)
		must(err)
		read, err := os.Open("/dev/ram3")
		must(err)
		b := (&Rule{Sys: "/sys", Proc: "/proc"}).readBusy()
		if !b.numbers["1:0"] || !b.names["ram1"] || b.names["ram2"] {
			t.Errorf("%+v", b)
		}
		(&Rule{Sys: "/sys", Proc: "/proc"}).opensOfPrograms(&b)
		if !b.names["ram2"] || b.names["ram3"] || b.names["ram0"] {
			t.Errorf("with the programs: %+v", b)
		}
		for _, f := range []*os.File{loop, written, read} {
			must(f.Close())
		}
	})
}
