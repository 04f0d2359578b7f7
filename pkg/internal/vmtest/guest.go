package vmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

const (
	// inside is the variable that is set in a process that runs in a machine.
	inside = "ISCSIROOT_TEST_MACHINE"
	// modules is the variable with the names of modules to load. The kernel makes it of a word
	// of its command line (init/main.c: unknown_bootoption).
	modules = "ISCSIROOT_TEST_MODULES"
)

// drivers are those of the machine's disk.
var drivers = []string{"virtio_pci", "virtio_blk"}

// Main is the first process of a machine if this process is one: it runs the tests in another
// process and turns the machine off. Otherwise it returns immediately.
func Main() {
	if os.Getpid() != 1 || os.Args[0] != "/init" {
		return
	}
	err := prepare()
	if err == nil {
		tests := exec.Command("/proc/self/exe", os.Args[1:]...)
		tests.Args[0] = "/init"
		tests.Env = append(os.Environ(), inside+"=1", "PATH=/bin:/sbin")
		tests.Stdin, tests.Stdout, tests.Stderr = os.Stdin, os.Stdout, os.Stderr
		err = tests.Run()
	}
	fmt.Println("tests:", err)
	unix.Sync()
	fmt.Println("power off:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// prepare mounts what a host has and loads the drivers.
func prepare() error {
	for _, m := range []struct{ kind, dir string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}} {
		if err := errors.Join(os.MkdirAll(m.dir, 0o755), unix.Mount(m.kind, m.dir, m.kind, 0, "")); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	release, err := modload.Release()
	if err != nil {
		return err
	}
	loader, _, err := modload.Open("/", release, bootspec.Modules{}, nil)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(os.Getenv(modules), ",") {
		var missing *modload.MissingError
		if err := loader.Load(context.Background(), name); err != nil && !errors.As(err, &missing) { // what is missing is built in
			return err
		}
	}
	return nil
}

// WaitDisk waits until the driver has made the disk's node.
func WaitDisk() error {
	for range 1000 {
		if _, err := os.Stat(Disk); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("disk %s: %w", Disk, os.ErrNotExist)
}
