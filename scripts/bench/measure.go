package main

import (
	"context"
	"errors"
	"os"
	"strings"
)

// Report is all results of a run.
type Report struct {
	Kernel      string   `json:"kernel"`
	CommandLine string   `json:"command_line"`
	Rounds      int      `json:"rounds"`
	Load        []string `json:"host_load"` // the host's load averages of one minute, at the begin of each round and at the end
	Configs     []Config `json:"configurations"`
}

// Config is one kind of machine.
type Config struct {
	NIC     string   `json:"nic"`
	CPUs    int      `json:"cpus"`
	Results []Result `json:"initramfs"`
	Ratios  []Ratio  `json:"ratios"`
	DHCP    Spread   `json:"dhcp_s"` // what an address by DHCP takes longer than one on the command line, round by round
}

// Result is what one initramfs has done.
type Result struct {
	Name   string   `json:"name"`
	What   string   `json:"what"`
	Bytes  int64    `json:"image_bytes"`
	Boots  []Boot   `json:"boots"`
	Failed []string `json:"failed,omitempty"` // each boot that came to no root
	Init   Spread   `json:"init_s"`
	Total  Spread   `json:"total_s"`
	CPU    Spread   `json:"host_cpu_s"`
	// Modules is the processor time that modules took in a few more boots, with rd.debug, 0
	// without such a line; Steps are those of the last of them, and Log is all output of init
	// in it.
	Modules []float64 `json:"modules_cpu_s,omitempty"`
	Steps   []Step    `json:"steps,omitempty"`
	Log     []Record  `json:"log,omitempty"`

	image image
}

// job is a configuration with what it needs to run.
type job struct {
	nic  nic
	cpus int
	out  *Config
}

// measure boots everything.
func (s *stage) measure(ctx context.Context) (*Report, error) {
	r := &Report{Kernel: s.kernel.Release, CommandLine: strings.TrimSpace(commandLine + " " + s.extra), Rounds: s.rounds}
	jobs, err := s.jobs(ctx, r)
	if err != nil {
		return nil, err
	}
	for round := range s.rounds {
		r.Load = append(r.Load, hostLoad())
		for _, j := range jobs {
			if err := s.round(ctx, j, round); err != nil {
				return nil, err
			}
		}
	}
	for _, j := range jobs {
		if err := s.showSteps(ctx, j); err != nil {
			return nil, err
		}
		j.out.summarise()
	}
	r.Load = append(r.Load, hostLoad())
	return r, nil
}

// jobs builds the images. The configurations of one network device share theirs.
func (s *stage) jobs(ctx context.Context, r *Report) ([]job, error) {
	r.Configs = make([]Config, 0, len(s.nics)*len(s.cpus))
	var jobs []job
	for _, name := range s.nics {
		n, err := findNIC(name)
		if err != nil {
			return nil, err
		}
		images, err := s.buildImages(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, cpus := range s.cpus {
			c := Config{NIC: n.name, CPUs: cpus}
			for _, img := range images {
				c.Results = append(c.Results, Result{Name: img.name, What: img.what, Bytes: img.bytes, image: img})
			}
			r.Configs = append(r.Configs, c)
			jobs = append(jobs, job{n, cpus, &r.Configs[len(r.Configs)-1]})
		}
	}
	return jobs, nil
}

// round boots each initramfs once, each round beginning with another one.
func (s *stage) round(ctx context.Context, j job, round int) error {
	results := j.out.Results
	for i := range results {
		res := &results[(i+round)%len(results)]
		b, err := s.boot(ctx, res.image, j.nic, j.cpus, false)
		switch {
		case errors.Is(err, errBoot) && ctx.Err() == nil:
			res.Failed = append(res.Failed, err.Error())
			say("round %d, %s, %d cpu, %s: %v", round+1, j.nic.name, j.cpus, res.Name, err)
		case err != nil:
			return err
		default:
			b.Round = round
			res.Boots = append(res.Boots, b)
			say("round %d, %s, %d cpu, %s: init %.3f s, kernel start to real init %.3f s", round+1, j.nic.name, j.cpus, res.Name, b.Init(), b.Real)
		}
	}
	return nil
}

// stepRounds is how often the steps are shown: enough for a median.
const stepRounds = 3

// showSteps boots those that can log their steps some more times, in turn, so that the log does not
// disturb a measurement.
func (s *stage) showSteps(ctx context.Context, j job) error {
	for range stepRounds {
		for i := range j.out.Results {
			res := &j.out.Results[i]
			if !res.image.steps {
				continue
			}
			b, err := s.boot(ctx, res.image, j.nic, j.cpus, true)
			if errors.Is(err, errBoot) && ctx.Err() == nil {
				res.Failed = append(res.Failed, err.Error())
				continue
			}
			if err != nil {
				return err
			}
			res.Log = b.log
			if res.Steps, err = readSteps(b); err != nil {
				return err
			}
			took, err := moduleTime(b)
			if err != nil {
				return err
			}
			res.Modules = append(res.Modules, took)
		}
	}
	return nil
}

func hostLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
