package verb

import (
	"context"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

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

// on reports whether one of the paths is on a file system.
func (c *Call) on(paths []string, id unix.Fsid) bool {
	for _, p := range paths {
		var st unix.Statfs_t
		if unix.Statfs(c.Path(p), &st) == nil && st.Fsid == id {
			return true
		}
	}
	return false
}
