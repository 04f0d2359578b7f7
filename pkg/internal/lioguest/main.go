//go:build linux

// Command lioguest is the /init of a machine whose kernel is the iSCSI target: it loads LIO, sets
// up the network devices and builds the targets that /etc/lio.json describes in configfs, as
// targetcli would. Then it prints "lio: ready" on the console. A failure is printed there too, and
// ends the machine. Commands on the console count a target's sessions, and set access states.
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
		if err := command(strings.Fields(in.Text())); err != nil {
			fmt.Println("lio: error:", err)
		}
	}
}

func command(words []string) error {
	switch {
	case len(words) == 2 && words[0] == liospec.CountSessions:
		// drivers/target/iscsi/iscsi_target_stat.c: iscsi_stat_instance_sessions_show
		n, err := os.ReadFile(filepath.Join(configRoot, "target/iscsi", words[1], "fabric_statistics/iscsi_instance/sessions"))
		if err != nil {
			return err
		}
		fmt.Printf("lio: %s sessions\n", bytes.TrimSpace(n))
	case len(words) == 4 && words[0] == liospec.SetAccess:
		group := configfs(filepath.Join(configRoot, "target/core", "iblock_"+words[1], "disk/alua", accessGroup(words[2])))
		if err := group.write("alua_access_state", words[3]); err != nil {
			return err
		}
		fmt.Println(liospec.AccessSet)
	}
	return nil
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
