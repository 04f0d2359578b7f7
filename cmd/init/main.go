// Command init is the /init of an initramfs: process 1 of a machine whose root
// file system is an iSCSI LUN. It reads the kernel command line, loads drivers,
// brings the network up, logs in to the target, mounts root and becomes the
// real init.
//
// The same file does other work by the name it is called by: as /sbin/modprobe
// it answers the kernel's requests for modules, PID 1 runs it as the debug shell
// and leaves it behind as the agent, and at the end the real init returns to it
// as /run/initramfs/shutdown.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/boot"
	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/shell"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
	"github.com/iscsiroot/iscsiroot/pkg/status"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "modprobe":
		os.Exit(modprobe(os.Args[1:]))
	case shell.Name:
		os.Exit(shell.Main(os.Args[1:], debug.Verbs))
	case runstate.FirstName:
		os.Exit(stay(agent.Boot))
	case runstate.SupervisorName:
		os.Exit(stay(agent.Supervise))
	case runstate.WorkerName:
		os.Exit(stay(agent.Work))
	case shutdown.Program:
		if slices.Equal(os.Args[1:], []string{"status"}) {
			os.Exit(showStatus())
		}
		os.Exit(shutdown.Main(os.Args[1:]))
	default:
		boot.Main(boot.Options{})
	}
}

// stay is the life of one of the processes that stay. It returns only with an error,
// which the kernel's log gets: there is no terminal.
func stay(life func() error) int {
	if err := life(); err != nil {
		log := kmsg.Open(kmsg.SystemPaths())
		log.Errorf("agent: %v", err)
		_ = log.Close()
		return 1
	}
	return 0
}

// showStatus tells a person of the running system how its sessions are.
func showStatus() int {
	if err := status.Print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "iscsiroot:", err)
		return 1
	}
	return 0
}

// modprobe answers a request for a module and returns the exit status. Asked to
// be quiet, as the kernel asks, it does not mention a module that is not there.
func modprobe(args []string) int {
	err := modload.Modprobe(args)
	if err == nil {
		return 0
	}
	if !errors.Is(err, fs.ErrNotExist) || !slices.Contains(args, "-q") {
		fmt.Fprintln(os.Stderr, "iscsiroot:", err)
	}
	return 1
}
