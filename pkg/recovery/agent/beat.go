package agent

import "time"

// timing holds the intervals and limits by which supervisor and worker watch each other, on
// CLOCK_MONOTONIC.
type timing struct {
	interval        time.Duration // between two beats, and between two checks
	workerLimit     time.Duration // a worker without a beat for so long is stuck
	supervisorLimit time.Duration // the same for the supervisor
	// stopLimit is after how long a stopped process is replaced: killall5(8), which sysvinit's
	// shutdown runs, stops all processes for a moment.
	stopLimit  time.Duration
	startLimit time.Duration // limit from a supervisor's start to its first beat
	endLimit   time.Duration // limit from there to the end of the worker that started it
}

// defaultTiming is the agent's timing.
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

// observe records the number of beats so far, and returns for how long there has been no new one. A
// late call counts as two intervals at most: if this process did not run, or the clock jumped, the
// other process may not have run either.
func (p *pulse) observe(now time.Time, beats uint64, every time.Duration) time.Duration {
	if p.at.IsZero() || beats != p.beats {
		p.silent = 0
	} else {
		p.silent += min(now.Sub(p.at), 2*every)
	}
	p.beats, p.at = beats, now
	return p.silent
}
