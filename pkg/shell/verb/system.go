package verb

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
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
		t := time.NewTimer(time.Duration(s * float64(time.Second)))
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func syncVerb() Verb {
	return Verb{Name: "sync", Help: "write everything back to the disks", Group: System, Run: func(context.Context, *Call) error {
		unix.Sync()
		return nil
	}}
}

func hexdumpVerb() Verb {
	return Verb{Name: "hexdump", Args: "[-s OFFSET] [-n BYTES] [FILE...]", Help: "show bytes, as hexdump -C does", Group: Text, Run: func(ctx context.Context, c *Call) error {
		o, args, err := c.options("Cs:n:")
		if err != nil {
			return err
		}
		numbers := map[byte]int64{'s': 0, 'n': 1 << 62}
		for letter := range numbers {
			if o.has(letter) {
				n, err := strconv.ParseInt(o[letter], 0, 64)
				if err != nil || n < 0 {
					return usage("-%c %s: no number of bytes", letter, o[letter])
				}
				numbers[letter] = n
			}
		}
		return c.inputs(ctx, args, func(_ string, r io.Reader) error {
			if err := skip(r, numbers['s']); err != nil {
				return err
			}
			d := hex.Dumper(c.Out)
			_, err := io.Copy(d, io.LimitReader(r, numbers['n']))
			return errors.Join(err, d.Close())
		})
	}}
}

// skip passes over n bytes, by seeking where that works.
func skip(r io.Reader, n int64) error {
	if cr, ok := r.(*contextReader); ok {
		if s, ok := cr.r.(io.Seeker); ok {
			if _, err := s.Seek(n, io.SeekStart); err == nil {
				return nil
			}
		}
	}
	_, err := io.CopyN(io.Discard, r, n)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func freeVerb() Verb {
	return Verb{Name: "free", Help: "show memory, in MiB", Group: System, Run: func(_ context.Context, c *Call) error {
		b, err := os.ReadFile("/proc/meminfo")
		if err != nil {
			return err
		}
		kib := meminfo(string(b))
		used := kib["MemTotal"] - kib["MemFree"] - kib["Buffers"] - kib["Cached"] - kib["SReclaimable"]
		return c.Printf("%12s%10s%10s%10s%10s\n%-6s%6d%10d%10d%10d%10d\n%-6s%6d%10d%10d\n", "total", "used", "free", "cached", "available",
			"mem", kib["MemTotal"]>>10, used>>10, kib["MemFree"]>>10, (kib["Cached"]+kib["Buffers"]+kib["SReclaimable"])>>10, kib["MemAvailable"]>>10,
			"swap", kib["SwapTotal"]>>10, (kib["SwapTotal"]-kib["SwapFree"])>>10, kib["SwapFree"]>>10)
	}}
}

// meminfo reads /proc/meminfo: names and KiB.
func meminfo(text string) map[string]int64 {
	out := map[string]int64{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 {
			out[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	return out
}

func dfVerb() Verb {
	return Verb{Name: "df", Args: "[PATH...]", Help: "show the space on file systems, in MiB", Group: System, Run: func(_ context.Context, c *Call) error {
		_, args, err := c.options("hmkT")
		if err != nil {
			return err
		}
		table, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			return err
		}
		if err := c.Printf("%-20s %-10s %10s %10s %10s  %s\n", "device", "type", "MiB", "used", "free", "on"); err != nil {
			return err
		}
		for m := range mounts.Table(string(table)) {
			var st unix.Statfs_t
			if err := unix.Statfs(m.Dir, &st); err != nil || st.Blocks == 0 || len(args) > 0 && !c.on(args, st.Fsid) {
				continue
			}
			unit := uint64(st.Bsize)
			if err := c.Printf("%-20s %-10s %10d %10d %10d  %s\n", m.Source, m.Type, st.Blocks*unit>>20, (st.Blocks-st.Bfree)*unit>>20, st.Bavail*unit>>20, m.Dir); err != nil {
				return err
			}
		}
		return nil
	}}
}

// on tells whether one of the paths is on a file system.
func (c *Call) on(paths []string, id unix.Fsid) bool {
	for _, p := range paths {
		var st unix.Statfs_t
		if unix.Statfs(c.Path(p), &st) == nil && st.Fsid == id {
			return true
		}
	}
	return false
}
