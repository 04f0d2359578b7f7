package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// bootDeadline is for one boot on a slow and busy machine.
const bootDeadline = 2 * time.Minute

// Boot is one boot. Times are seconds on the kernel log's clock, which begins with the kernel.
type Boot struct {
	// Round is counted from 0.
	Round int `json:"round"`
	// Run is when the kernel runs /init, Real when the real init begins.
	Run  float64 `json:"run_s"`
	Real float64 `json:"real_s"`
	// CPU is the host's processor time for the whole life of the machine, in seconds.
	CPU float64 `json:"host_cpu_s"`
	// Available is MemAvailable when the real init begins, in KiB.
	Available int64 `json:"mem_available_kib"`

	log []Record
}

// Init is the time between /init and the real init.
func (b Boot) Init() float64 { return b.Real - b.Run }

// Record is a line of an init in the kernel's log.
type Record struct {
	At   float64 `json:"s"`
	Text string  `json:"text"`
}

// errBoot is wrapped by the error for a machine that ended without a root: a result like others,
// not the benchmark's end.
var errBoot = errors.New("the machine did not reach its root")

// boot boots one machine and returns the values that its real init prints.
func (s *stage) boot(ctx context.Context, img image, n nic, cpus int, debug bool) (b Boot, err error) {
	ns, err := lab.NewNamespace()
	if err != nil {
		return Boot{}, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	line := commandLine
	if other, ok := lines[img.name]; ok {
		line = other
	}
	line += " " + s.extra
	if debug {
		line += " rd.debug"
	}
	short, cancel := context.WithTimeout(ctx, bootDeadline)
	defer cancel()
	m, err := s.machine(short, ns, img, n, cpus, line)
	if err != nil {
		return Boot{}, err
	}
	exit, err := m.Wait(short)
	if err != nil {
		return Boot{}, errors.Join(fmt.Errorf("%w: %w", errBoot, err), ctx.Err())
	}
	b, err = readBoot(m.Output())
	b.CPU = exit.CPU.Seconds()
	return b, err
}

var realInitLine = regexp.MustCompile(`(?m)^bench: (run|real|available|log|end)(?: ([0-9.]+))?(?: (.*))?$`)

// readBoot reads what the real init has printed on the console.
func readBoot(console string) (Boot, error) {
	var b Boot
	complete := false
	for _, m := range realInitLine.FindAllStringSubmatch(console, -1) {
		number, err := strconv.ParseFloat(m[2], 64)
		if err != nil && m[1] != "end" {
			return Boot{}, fmt.Errorf("read the console: %q: %w", m[0], err)
		}
		switch m[1] {
		case "run":
			b.Run = number
		case "real":
			b.Real = number
		case "available":
			b.Available = int64(number)
		case "log":
			b.log = append(b.log, Record{number, m[3]})
		case "end":
			complete = true
		}
	}
	if !complete || b.Run == 0 || b.Real <= b.Run || b.Available == 0 {
		return Boot{}, fmt.Errorf("%w: its console ends with %q", errBoot, lastWords(console))
	}
	return b, nil
}

// lastWords is the end of a machine's output, or of its output before its kernel panicked.
func lastWords(console string) string {
	const enough = 500
	end := len(console)
	if at := strings.Index(console, "Kernel panic"); at >= 0 {
		end = min(end, at+100)
	}
	return console[max(0, end-enough):end]
}
