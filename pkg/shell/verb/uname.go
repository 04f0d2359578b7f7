package verb

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

func unameVerb() Verb {
	return Verb{Name: "uname", Args: "[-amnrsv]", Help: "show the kernel's name and release", Group: System, Run: func(_ context.Context, c *Call) error {
		o, _, err := c.options("amnrsv")
		if err != nil {
			return err
		}
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return fmt.Errorf("uname: %w", err)
		}
		var out []string
		for _, f := range []struct {
			letter byte
			value  []byte
		}{{'s', u.Sysname[:]}, {'n', u.Nodename[:]}, {'r', u.Release[:]}, {'v', u.Version[:]}, {'m', u.Machine[:]}} {
			if o.has('a') || o.has(f.letter) || len(o) == 0 && f.letter == 's' {
				out = append(out, unix.ByteSliceToString(f.value))
			}
		}
		return c.Printf("%s\n", strings.Join(out, " "))
	}}
}
