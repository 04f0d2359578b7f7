package verb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
)

func dateVerb() Verb {
	return Verb{Name: "date", Args: "[-s 'YYYY-MM-DD HH:MM:SS']", Help: "show the time, in UTC; -s: set it", Group: System, Run: func(_ context.Context, c *Call) error {
		o, _, err := c.options("us:")
		if err != nil {
			return err
		}
		if o.has('s') {
			t, err := time.Parse(time.DateTime, o['s'])
			if err != nil {
				return usage("write it as 2026-01-31 23:59:59")
			}
			tv := unix.NsecToTimeval(t.UnixNano())
			if err := unix.Settimeofday(&tv); err != nil {
				return fmt.Errorf("set the time: %w", err)
			}
		}
		return c.Printf("%s\n", time.Now().UTC().Format("Mon Jan _2 15:04:05 UTC 2006"))
	}}
}

func sleepVerb() Verb {
	return Verb{Name: "sleep", Args: "SECONDS", Help: "wait", Group: System, Run: func(ctx context.Context, c *Call) error {
		if len(c.Args) != 1 {
			return usage("needs a number of seconds")
		}
		s, err := strconv.ParseFloat(c.Args[0], 64)
		if err != nil || s < 0 || s > 1e9 {
			return usage("%s is not a number of seconds", c.Args[0])
		}
		return clock.Sleep(ctx, time.Duration(s*float64(time.Second)))
	}}
}

func syncVerb() Verb {
	return Verb{Name: "sync", Help: "write everything back to the disks", Group: System, Run: func(context.Context, *Call) error {
		unix.Sync()
		return nil
	}}
}
