//go:build linux

// Command guest is the /sbin/init of the test machines' roots: it prints the state that a real init
// would find, runs the commands in /etc/guest, and powers the machine off. Each line it prints
// begins with "guest: ". As the shell of an image it sends signals to PID 1.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Args[0] == "orphan" {
		time.Sleep(100 * time.Millisecond)
		return
	}
	unlimited()
	if os.Getpid() != 1 {
		shell()
		return
	}
	script, _ := os.ReadFile("/etc/guest")
	for _, word := range strings.Fields("uptime mounts args env session settings " + string(script)) {
		if err := do(word); err != nil {
			say("%s: error: %v", word, err)
		}
	}
	say("end")
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

func do(what string) error {
	if text, ok := strings.CutPrefix(what, "hunt:"); ok {
		return hunt(text)
	}
	if text, ok := strings.CutPrefix(what, "write:"); ok {
		return writeAsked("/data", text)
	}
	switch what {
	case "mounts":
		return show("mount: ", "/proc/mounts")
	case "rootfs":
		return showRootfs()
	case "args":
		return showNuls("arg: ", "/proc/1/cmdline")
	case "env":
		return showNuls("env: ", "/proc/1/environ")
	case "session":
		return showSession()
	case "settings":
		return show("panic: ", "/proc/sys/kernel/panic")
	case "uptime":
		return errors.Join(show("uptime: ", "/proc/uptime"), show("schedstat: ", "/proc/schedstat"))
	case "plain":
		fmt.Println("guest: a line of a program")
		return nil
	case "disks":
		return showDisks()
	case "arrays":
		return showArrays()
	case "paths":
		return showPaths()
	case "verify":
		return verify("/data")
	case "faults":
		return faults()
	case "alone":
		return alone()
	case "agent":
		return showAgent()
	case "holds":
		return agentHolds()
	case "halves":
		return halves()
	case "subvolume":
		return makeSubvolume()
	case "network":
		return showNetwork()
	case "chap":
		return showCHAP()
	case "down":
		return down("poweroff")
	case "net":
		return showNet()
	case "log":
		return showLog()
	}
	return fmt.Errorf("unknown command")
}

// show prints a file line by line.
func show(prefix, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(b), "\n"), "\n") {
		say("%s", prefix+line)
	}
	return nil
}

// showNuls prints a file of strings that end with a NUL each.
func showNuls(prefix, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for s := range strings.SplitSeq(strings.TrimRight(string(b), "\x00"), "\x00") {
		say("%s", prefix+s)
	}
	return nil
}
