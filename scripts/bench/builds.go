package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// Build is how long a maker takes to an image, and how large that is.
type Build struct {
	Maker string `json:"maker"`
	What  string `json:"what"`
	Bytes int64  `json:"image_bytes"`
	Wall  Spread `json:"wall_s"`
	CPU   Spread `json:"cpu_s"`
	Limit string `json:"limit,omitempty"` // what was promised for ours on two processors

	command func(ctx context.Context, path string) (*exec.Cmd, error)
	wall    []float64
	cpu     []float64
}

// What images are made for.
const (
	oneCard  = "one card, ext4"
	allCards = "all cards"
)

// builds measures how long images take to be made, by the programs that users run.
func (s *stage) builds(ctx context.Context) error {
	list, err := s.makers()
	if err != nil {
		return err
	}
	for round := range s.rounds {
		for i := range list {
			b := &list[(i+round)%len(list)]
			if err := s.build(ctx, b); err != nil {
				return err
			}
			say("round %d, %s, %s: %.2f s, %.2f MiB", round+1, b.Maker, b.What, b.wall[round], float64(b.Bytes)/(1<<20))
		}
	}
	for i := range list {
		list[i].Wall, list[i].CPU = spread(list[i].wall), spread(list[i].cpu)
	}
	fmt.Print(buildTable(s.kernel.Release, s.rounds, list))
	path := filepath.Join(s.out, "builds.json")
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// makers are ours, and with -full Debian's, each for one card and for all. Ours is the program
// beside init, from the build.
func (s *stage) makers() ([]Build, error) {
	program := filepath.Join(filepath.Dir(s.init), "iscsiroot")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w: run make build", err)
	}
	n, err := findNIC(s.nics[0])
	if err != nil {
		return nil, err
	}
	own := func(more ...string) func(context.Context, string) (*exec.Cmd, error) {
		return func(ctx context.Context, path string) (*exec.Cmd, error) {
			args := []string{"build", "--root", s.kernel.ModulesRoot, "--kernel-version", s.kernel.Release, "--output", path}
			return exec.CommandContext(ctx, program, append(args, more...)...), nil
		}
	}
	list := []Build{
		{Maker: ours, What: oneCard, Limit: "1 s", command: own("--nic", n.driver, "--fs", "ext4")},
		{Maker: ours, What: allCards, Limit: "10 s", command: own()},
	}
	if !s.full {
		return list, nil
	}
	for _, c := range full {
		with := func(driver string) func(context.Context, string) (*exec.Cmd, error) {
			return func(ctx context.Context, path string) (*exec.Cmd, error) {
				return s.makerCommand(ctx, c.name, driver, path)
			}
		}
		list = append(list, Build{Maker: c.name, What: oneCard, command: with(n.driver)}, Build{Maker: c.name, What: allCards, command: with(everyDriver)})
	}
	return list, nil
}

// build makes an image once.
func (s *stage) build(ctx context.Context, b *Build) error {
	path := filepath.Join(s.dir, "build.img")
	cmd, err := b.command(ctx, path)
	if err != nil {
		return err
	}
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s, %s: %w: %s", b.Maker, b.What, err, lastWords(string(out)))
	}
	b.wall = append(b.wall, time.Since(begin).Seconds())
	b.cpu = append(b.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	b.Bytes = info.Size()
	return os.Remove(path)
}

// buildTable is the report for a terminal.
func buildTable(release string, rounds int, list []Build) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nmaking an image, linux %s, %d rounds\n\n", release, rounds)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "maker\tfor\tMiB\ts\tcpu s\tat most\n")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%.2f\t%s\n", r.Maker, r.What, float64(r.Bytes)/(1<<20), r.Wall, r.CPU.Median, r.Limit)
	}
	_ = w.Flush() // into memory
	return b.String()
}
