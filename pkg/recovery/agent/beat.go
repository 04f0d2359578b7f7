package agent

import "time"

// timing is how supervisor and worker watch each other. All is time on
// CLOCK_MONOTONIC.
type timing struct {
	interval        time.Duration // between two beats, and between two looks
	workerLimit     time.Duration // without a beat of the worker's: it is stuck
	supervisorLimit time.Duration // the same of the supervisor's
	// stopLimit is for how long a process must be stopped: killall5(8), which
	// sysvinit's shutdown runs, stops all processes for a moment.
	stopLimit  time.Duration
	startLimit time.Duration // most from a supervisor's start to its first beat
	endLimit   time.Duration // most from there to the end of the worker that started it
}

// defaultTiming is the timing of the agent.
func defaultTiming() timing {
	return timing{
		interval: 5 * time.Second, workerLimit: 30 * time.Second, supervisorLimit: 20 * time.Second,
		stopLimit: time.Second, startLimit: 10 * time.Second, endLimit: 30 * time.Second,
	}
}

// pulse follows the beats of another process.
type pulse struct {
	beats  uint64
	at     time.Time // of the last look
	silent time.Duration
}

// observe takes in how many beats there were so far, and returns for how long there
// has been no other one. A look that comes late counts as two: if this process
// did not run, or the clock jumped, the other one may have had no time either.
func (p *pulse) observe(now time.Time, beats uint64, every time.Duration) time.Duration {
	if p.at.IsZero() || beats != p.beats {
		p.silent = 0
	} else {
		p.silent += min(now.Sub(p.at), 2*every)
	}
	p.beats, p.at = beats, now
	return p.silent
}
