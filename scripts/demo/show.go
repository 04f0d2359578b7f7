package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

const prompt = "iscsiroot:/root# "

// handOver joins the machine's console with the terminal until the machine ends.
func (s *stage) handOver(ctx context.Context) error {
	s.machine.Terminal = true
	say("starting the machine; to leave it, type poweroff, or press Ctrl-A and then X")
	m, err := s.ns.StartMachine(ctx, s.machine)
	if err != nil {
		return err
	}
	exit, err := m.Wait(ctx)
	if err != nil {
		return err
	}
	say("the machine has ended (%s)", exit.Reason)
	return nil
}

// evidence is what the command rootinfo prints when root is the partition of a disk behind an iSCSI
// session to our target.
var evidence = []*regexp.Regexp{
	regexp.MustCompile(`mount: \d+ \d+ \d+:\d+ / / rw\S* .*- ext3 \S+ .*\n`),
	regexp.MustCompile(`device: /sys/devices/\S+/session\d+/\S+/sda/sda2\n`),
	regexp.MustCompile(`session: session\d+ ` + regexp.QuoteMeta(targetName) + ` LOGGED_IN\n`),
	regexp.MustCompile(`portal: ` + regexp.QuoteMeta(hostAddress) + `:3260\n`),
}

// mark is what the machine writes to its root and this program then reads from the disk.
const mark = "written by a machine without a disk\n"

// prove checks at the machine's shell that its root is on the LUN.
func (s *stage) prove(ctx context.Context) error {
	say("starting the machine: %s", s.machine.Append)
	m, err := s.ns.StartMachine(ctx, s.machine)
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := m.Expect(ctx, prompt); err != nil {
		return err
	}
	say("its shell runs %.1f s after power-on", time.Since(begin).Seconds())
	if err := m.Send("rootinfo\n"); err != nil {
		return err
	}
	for _, re := range evidence {
		line, err := m.ExpectMatch(ctx, re)
		if err != nil {
			return err
		}
		fmt.Print("  ", line[0])
	}
	if err := m.Send("echo '" + strings.TrimSpace(mark) + "' >/mark; poweroff\n"); err != nil {
		return err
	}
	return s.end(ctx, m)
}

// end waits for power-off and looks for the mark on the disk.
func (s *stage) end(ctx context.Context, m *lab.Machine) error {
	exit, err := m.Wait(ctx)
	if err != nil {
		return err
	}
	if exit.Reason != "guest-shutdown" {
		return fmt.Errorf("the machine ended by %q, exit status %d, and not by switching itself off", exit.Reason, exit.Code)
	}
	got, err := s.disk.ReadFile(rootPartition, "mark")
	if err != nil {
		return err
	}
	if string(got) != mark {
		return fmt.Errorf("the disk holds %q in /mark instead of %q", got, mark)
	}
	say("the machine switched itself off, and what it wrote is on the disk: %s", strings.TrimSpace(mark))
	return nil
}
