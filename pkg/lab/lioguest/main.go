//go:build linux

// Command lioguest is the /init of a machine whose kernel is the iSCSI target: it loads LIO, sets up a network device and
// builds the targets that /etc/lio.json describes in configfs, as targetcli would. Then it says "lio: ready" on the console.
// What fails is said there too, and ends the machine.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab/liospec"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("lio: error:", err)
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	fmt.Println("lio: ready")
	for { // an empty select is a deadlock to the runtime
		time.Sleep(time.Hour)
	}
}

func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	text, err := os.ReadFile(liospec.Path)
	if err != nil {
		return err
	}
	var spec liospec.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("read %s: %w", liospec.Path, err)
	}
	if err := loadModules(context.Background(), spec.Modules); err != nil {
		return err
	}
	if err := setUpNetwork(spec.Addrs); err != nil {
		return err
	}
	return configure(configfs("/sys/kernel/config"), spec)
}
