package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/netboot"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
	"github.com/iscsiroot/iscsiroot/pkg/trial"
)

const tryLong = `try boots a machine of the hosts file in QEMU before the real one does. It makes the files
that pxe would write for it now, takes kernel, image and boot loader from DIR, and serves
them by DHCP, TFTP and HTTP in a network of its own, with a copy of the machine's disk
behind a target: gotgt, or tgtd if the machine has a CHAP secret. It prints pass or fail and
how long each stage took; init's steps run beside each other.

The loader decides the firmware: pxelinux and ipxe run on SeaBIOS and the ROM of the card,
grub on OVMF. The serial line is the console: console=ttyS0 is added, quiet left out. It
has passed when the real init has printed something, or the text of --expect.

It needs root and Debian's packages qemu-system-x86 and dnsmasq-base, ovmf for GRUB, and tgt
for CHAP. ISCSIROOT_KVM=1 uses the processor's virtualization.
Nothing in DIR is changed, nor the disk without --write, and nothing is left behind.`

// tryOptions are try's flags.
type tryOptions struct {
	trial.Config

	hosts, log string
	timeout    time.Duration
}

// newTry returns the try command.
func newTry() *cobra.Command {
	var o tryOptions
	cmd := &cobra.Command{
		Use:     "try HOST",
		Short:   tryShort,
		Long:    tryLong,
		Example: "  iscsiroot try remote1 --hosts hosts.yaml --dir /srv/netboot --disk remote1.img",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Host = args[0]
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&o.hosts, "hosts", "hosts.yaml", "the description of the machines is `FILE`")
	fs.StringVar(&o.Dir, "dir", "/srv/netboot", "pxe's `DIR`: kernel, image and boot loader are in its tftp/")
	fs.StringVar(&o.Disk, "disk", "", "the machine's disk is `IMAGE`, a file or device (default: disk of the hosts file)")
	fs.BoolVar(&o.Write, "write", false, "let the machine write to the disk itself instead of a copy, and power it off in the end")
	fs.StringVar(&o.NIC, "nic", "", "QEMU's `MODEL` of the card, such as e1000 (default: one that the image has the driver of)")
	fs.IntVar(&o.MemoryMiB, "memory", 0, "`MIB` of memory (default: 512, under EFI 1024)")
	fs.StringVar(&o.Expect, "expect", "", "pass when the console shows `TEXT` after the real init was started, such as login:")
	fs.DurationVar(&o.timeout, "timeout", 5*time.Minute, "fail after this `TIME`")
	fs.StringVar(&o.log, "log", "", "write all that the console shows to `FILE`")
	return cmd
}

// run boots the machine and prints the result.
func (o tryOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	room, err := netboot.Read(o.hosts)
	if err != nil {
		return err
	}
	o.Room = room
	limited, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("out of time after %v: raise --timeout if the machine is slow", o.timeout))
	defer cancel()
	result, err := trial.Run(limited, o.Config)
	for _, note := range result.Notes {
		fmt.Fprintf(stderr, "iscsiroot: %s\n", note)
	}
	if o.log != "" && result.Console != "" && ctx.Err() == nil {
		err = errors.Join(err, writeLog(ctx, o.log, result.Console))
	}
	printTrial(stdout, o.Host, result, err == nil)
	return err
}

// writeLog writes what the console has shown. It goes to a device as it is, such as /dev/stderr,
// and into a file as a whole.
func writeLog(ctx context.Context, name, console string) error {
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(name, []byte(console), 0o600)
	}
	f, err := outfile.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(console); err != nil {
		f.Discard()
		return err
	}
	return f.Commit(0o600)
}

// printTrial prints how long each stage took, and each step of init's below that.
func printTrial(w io.Writer, host string, r trial.Result, passed bool) {
	var all time.Duration
	for _, s := range r.Stages {
		all += s.Took
		fmt.Fprintf(w, "%-12s %7.2f s\n", s.Name, s.Took.Seconds())
		if s.Name != "init" {
			continue
		}
		for _, step := range r.Steps {
			fmt.Fprintf(w, "  %-14s %5.2f s\n", step.Name, step.Took.Seconds())
		}
	}
	if passed {
		fmt.Fprintf(w, "%s: pass in %.2f s\n", host, all.Seconds())
	} else if len(r.Stages) > 0 {
		fmt.Fprintf(w, "%s: fail after %.2f s\n", host, all.Seconds())
	}
}
