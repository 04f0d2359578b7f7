//go:build linux

// Command lioguest is the /init of a machine whose kernel is the iSCSI target: it loads LIO, sets
// up a network device and builds the targets that /etc/lio.json describes in configfs, as targetcli
// would. Then it prints "lio: ready" on the console. A failure is printed there too, and ends the
// machine. A command on the console counts a target's sessions.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/liospec"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("lio: error:", err)
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	fmt.Println("lio: ready")
	answer()
	for { // an empty select is a deadlock to the runtime
		time.Sleep(time.Hour)
	}
}

// answer runs the commands from the console.
func answer() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, name, _ := strings.Cut(in.Text(), " ")
		if word != liospec.CountSessions {
			continue
		}
		// drivers/target/iscsi/iscsi_target_stat.c: iscsi_stat_instance_sessions_show
		n, err := os.ReadFile(filepath.Join(configRoot, "target/iscsi", name, "fabric_statistics/iscsi_instance/sessions"))
		if err != nil {
			fmt.Println("lio: error:", err)
			continue
		}
		fmt.Printf("lio: %s sessions\n", bytes.TrimSpace(n))
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
	return configure(configRoot, spec)
}

// configRoot is where configfs is mounted.
const configRoot = "/sys/kernel/config"
