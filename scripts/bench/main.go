// Command bench measures how long iscsiroot's init takes to a root on an iSCSI LUN, next to other
// initramfs that boot the same kernel from the same target to the same root image: in one run, in
// turns, several boots each. What is compared are ratios within a round, because an emulated
// machine on a busy host is no clock.
//
// It needs root for a network namespace, what "scripts/deps.sh bench" brings, gcc, and init from
// the build. It prints a table and writes bench.json and bench.svg beside the program that it
// measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

func main() {
	targets.Main()
	o, err := parseOptions(os.Args[1:], os.Getenv("BENCH_ROUNDS"))
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and reports.
func run(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	switch {
	case o.throughput:
		return s.throughput(ctx)
	case o.builds:
		return s.builds(ctx)
	}
	report, err := s.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Print(report.table())
	if err := report.writeJSON(filepath.Join(o.out, "bench.json")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "bench.svg"), []byte(report.svg()), 0o644); err != nil {
		return err
	}
	say("%s has every boot, %s is the picture", filepath.Join(o.out, "bench.json"), filepath.Join(o.out, "bench.svg"))
	return nil
}

// options are the command line's.
type options struct {
	init, kernel, out, extra string
	rounds                   int
	cpus                     []int
	nics, only               []string
	throughput, builds, full bool
}

func parseOptions(args []string, rounds string) (options, error) {
	var o options
	var cpus, nics, only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.init, "init", "bin/init", "the program to measure as /init")
	f.StringVar(&o.kernel, "kernel", "amd64", "the kernel: amd64, amd64-6.12 or cloud-amd64")
	f.StringVar(&o.out, "out", "bin", "the directory for bench.json and bench.svg")
	f.StringVar(&o.extra, "append", "", "more for every machine's command line")
	f.IntVar(&o.rounds, "rounds", 5, "boots of each initramfs; BENCH_ROUNDS sets it too")
	f.StringVar(&cpus, "smp", "1,2", "numbers of the guest's processors, with commas")
	f.StringVar(&nics, "nics", "virtio-net,e1000", "network devices, with commas")
	f.StringVar(&only, "only", "", "initramfs to boot beside ours, with commas; all if empty")
	f.BoolVar(&o.full, "full", os.Getenv("BENCH_FULL") == "1", "boot initramfs-tools' and dracut's too; BENCH_FULL=1 sets it too")
	f.BoolVar(&o.throughput, "throughput", false, "measure how fast data moves instead of the boot")
	f.BoolVar(&o.builds, "builds", false, "measure how long images take to be made instead of the boot")
	if rounds != "" {
		if err := f.Set("rounds", rounds); err != nil {
			return o, fmt.Errorf("BENCH_ROUNDS=%s: %w", rounds, err)
		}
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for word := range strings.SplitSeq(cpus, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-smp %s: a number of processors is 1 or more", word)
		}
		o.cpus = append(o.cpus, n)
	}
	o.nics = strings.Split(nics, ",")
	if only != "" {
		o.only = append(strings.Split(only, ","), ours)
	}
	if o.rounds < 1 || f.NArg() > 0 {
		return o, errors.New("usage: bench [flags]; rounds are 1 or more; bench -h lists the flags")
	}
	return o, nil
}

func say(format string, args ...any) { fmt.Printf("bench: "+format+"\n", args...) }
