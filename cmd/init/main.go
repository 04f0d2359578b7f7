// Command init is the /init of an initramfs: process 1 of a machine whose root file system is an
// iSCSI LUN. It reads the kernel command line, loads drivers, brings the network up, logs in to the
// target, mounts root and becomes the real init.
//
// The same file does other work by the name it is called by: as /sbin/modprobe it loads modules for
// the kernel, PID 1 runs it as the debug shell and as the agent, and at shutdown the real init
// executes it as /run/initramfs/shutdown.
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

// stay runs one of the resident processes. It returns only after an error, which it writes to the
// kernel's log: there is no terminal.
func stay(life func() error) int {
	if err := life(); err != nil {
		log := kmsg.Open(kmsg.SystemPaths())
		log.Errorf("agent: %v", err)
		_ = log.Close()
		return 1
	}
	return 0
}

// showStatus prints the state of the sessions and returns the exit status.
func showStatus() int {
	if err := status.Print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "iscsiroot:", err)
		return 1
	}
	return 0
}

// modprobe loads a module and returns the exit status. With -q, as the kernel calls it, a module
// that does not exist is not reported.
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
