// Command demo boots a machine without a disk in QEMU: its root file system is the second partition
// of an iSCSI LUN, and its command line is that of the HOWTO this project replaces. With a terminal
// it leaves its user at the machine's shell; without one it checks at that shell that root is on
// the LUN, powers the machine off, and fails if a check does.
//
// It needs root for a network namespace, what scripts/deps.sh brings, and init from the build.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

func main() {
	targets.Main()
	var o options
	flag.StringVar(&o.init, "init", "bin/init", "the program that becomes /init")
	flag.StringVar(&o.kernel, "kernel", "amd64", "the kernel: amd64, amd64-6.12 or cloud-amd64")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type options struct {
	init, kernel string
}

// proofDeadline is for a slow machine; two cores need about ten seconds.
const proofDeadline = 4 * time.Minute

func run(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	ns, err := lab.NewNamespace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	s, err := prepare(ctx, ns, o)
	if err != nil {
		return err
	}
	if saved, err := terminal(); err == nil {
		defer func() { _ = unix.IoctlSetTermios(0, unix.TCSETS, saved) }() // QEMU may be killed in raw mode
		return s.handOver(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, proofDeadline)
	defer cancel()
	return s.prove(ctx)
}

// terminal returns the settings of the terminal, if both standard input and output are one.
func terminal() (*unix.Termios, error) {
	if _, err := unix.IoctlGetTermios(1, unix.TCGETS); err != nil {
		return nil, err
	}
	return unix.IoctlGetTermios(0, unix.TCGETS)
}

func say(format string, args ...any) { fmt.Printf("demo: "+format+"\n", args...) }
