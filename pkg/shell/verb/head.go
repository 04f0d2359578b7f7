package verb

import (
	"context"
	"io"
	"strconv"
)

func headVerb() Verb {
	return Verb{Name: "head", Args: "[-n N] [FILE...]", Help: "show the first lines; 10 without -n", Group: Text, Run: func(ctx context.Context, c *Call) error {
		n, args, err := c.lineCount()
		if err != nil {
			return err
		}
		return c.inputs(ctx, args, func(_ string, r io.Reader) error {
			left := n
			return eachLine(r, func(line string) (bool, error) {
				if left--; left < 0 {
					return false, nil
				}
				return left > 0, c.Printf("%s\n", line)
			})
		})
	}}
}

func tailVerb() Verb {
	return Verb{Name: "tail", Args: "[-n N] [FILE...]", Help: "show the last lines; 10 without -n", Group: Text, Run: func(ctx context.Context, c *Call) error {
		n, args, err := c.lineCount()
		if err != nil {
			return err
		}
		return c.inputs(ctx, args, func(_ string, r io.Reader) error {
			var last []string
			err := eachLine(r, func(line string) (bool, error) {
				last = append(last, line)
				last = last[max(0, len(last)-n):]
				return true, nil
			})
			for _, line := range last {
				if err := c.Printf("%s\n", line); err != nil {
					return err
				}
			}
			return err
		})
	}}
}

// lineCount removes "-n 5", "-n5" and "-5" from the arguments.
func (c *Call) lineCount() (int, []string, error) {
	if len(c.Args) > 0 && len(c.Args[0]) > 1 && c.Args[0][0] == '-' && c.Args[0][1] >= '0' && c.Args[0][1] <= '9' {
		c.Args = append([]string{"-n", c.Args[0][1:]}, c.Args[1:]...)
	}
	o, args, err := c.options("n:")
	if err != nil || !o.has('n') {
		return 10, args, err
	}
	n, err := strconv.Atoi(o['n'])
	if err != nil || n < 0 {
		return 0, nil, usage("-n %s: not a number of lines", o['n'])
	}
	return n, args, nil
}
