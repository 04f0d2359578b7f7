package session

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// slowPipe receives a PDU, or an error, after a time each.
type slowPipe struct {
	after []time.Duration
	err   error // of the last
}

func (p *slowPipe) Send(context.Context, *iscsi.PDU) error { return nil }

func (p *slowPipe) Receive(ctx context.Context) (*iscsi.PDU, error) {
	wait := p.after[0]
	p.after = p.after[1:]
	if err := clock.Sleep(ctx, wait); err != nil {
		return nil, err
	}
	if len(p.after) == 0 && p.err != nil {
		return nil, p.err
	}
	return &iscsi.PDU{}, nil
}

// The time of the slowest response that arrived is recorded. No response in time is a SilenceError,
// which the end of the login's context is not.
func TestTimedPipe(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		after   []time.Duration
		err     error
		limit   time.Duration // of the login's context
		slowest time.Duration
		silent  bool
	}{
		"responses":          {[]time.Duration{s, 3 * s, 2 * s}, nil, time.Minute, 3 * s, false},
		"closed":             {[]time.Duration{s, 4 * s}, io.EOF, time.Minute, s, false},
		"silent":             {[]time.Duration{s, 6 * s}, nil, time.Minute, s, true},
		"the context's end":  {[]time.Duration{s, 6 * s}, nil, 3 * s, s, false},
		"in time, but just":  {[]time.Duration{5*s - 1}, nil, time.Minute, 5*s - 1, false},
		"too late, but just": {[]time.Duration{5*s + 1}, nil, time.Minute, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				p := &timedPipe{Pipe: &slowPipe{tt.after, tt.err}, timeout: 5 * s}
				var err error
				for range tt.after {
					if _, err = p.Receive(ctx); err != nil {
						break
					}
				}
				var silence *SilenceError
				if p.slowest != tt.slowest || errors.As(err, &silence) != tt.silent || tt.err != nil && !errors.Is(err, tt.err) || (err == nil) != (name == "responses" || name == "in time, but just") {
					t.Errorf("slowest %v, want %v; %v", p.slowest, tt.slowest, err)
				}
			})
		})
	}
}

// The delay between the starts of two connects is shorter where all of them would not start within
// the first half of the time that is left.
func TestStagger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Session{times: times{stagger: 250 * time.Millisecond}}
		for _, tt := range []struct {
			left  time.Duration
			paths int
			want  time.Duration
		}{
			{0, 4, 250 * time.Millisecond}, // no deadline
			{time.Minute, 4, 250 * time.Millisecond},
			{2 * time.Second, 4, 250 * time.Millisecond},
			{time.Second, 4, 125 * time.Millisecond},
			{time.Second, 10, 50 * time.Millisecond},
			{time.Second, 0, 250 * time.Millisecond},
			{-time.Second, 4, 0},
		} {
			ctx, cancel := t.Context(), func() {}
			if tt.left != 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.left)
			}
			if got := s.stagger(ctx, tt.paths); got != tt.want {
				t.Errorf("%v for %d paths: %v, want %v", tt.left, tt.paths, got, tt.want)
			}
			cancel()
		}
	})
}
