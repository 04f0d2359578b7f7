package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

func (r *Report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// table is the report for a terminal: medians, with the range in brackets.
func (r *Report) table() string {
	var b strings.Builder
	for _, c := range r.Configs {
		fmt.Fprintf(&b, "\n%s, %s, linux %s, %d rounds\n\n", c.NIC, processors(c.CPUs), r.Kernel, r.Rounds)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "initramfs\tMiB\tinit s\tkernel start to real init s\thost cpu s\tavailable MiB\tno root\n")
		for _, res := range c.Results {
			fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%.1f\t%.0f\t%d\n",
				res.Name, float64(res.Bytes)/(1<<20), res.Init, res.Total, res.CPU.Median, res.available(), len(res.Failed))
		}
		fmt.Fprint(w, "\nours, to that of\t\tinit\tkernel start to real init\tmodules\n")
		for _, ratio := range c.Ratios {
			fmt.Fprintf(w, "%s\t\t%s\t%s\t%s\n", ratio.Peer, ratio.Init, ratio.Total, ratio.Modules)
		}
		_ = w.Flush() // into memory
		if c.DHCP != (Spread{}) {
			fmt.Fprintf(&b, "\nan address by DHCP takes %s s longer\n", c.DHCP)
		}
		c.writeSteps(&b)
	}
	return b.String()
}

func processors(n int) string {
	if n == 1 {
		return "1 processor"
	}
	return fmt.Sprintf("%d processors", n)
}

// String is the median and the range.
func (s Spread) String() string {
	if s == (Spread{}) {
		return "-"
	}
	return fmt.Sprintf("%.3f (%.3f-%.3f)", s.Median, s.Min, s.Max)
}

// writeSteps lists the steps of those that log them, side by side.
func (c Config) writeSteps(b *strings.Builder) {
	for _, res := range c.Results {
		if len(res.Steps) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nsteps of %s, ms since /init\n\n", res.Name)
		w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "begin\tend\ttook\t\n")
		for _, s := range res.Steps {
			fmt.Fprintf(w, "%.0f\t%.0f\t%.0f\t  %s\n", s.Begin*1000, s.End*1000, (s.End-s.Begin)*1000, s.Name)
		}
		_ = w.Flush()
	}
}
