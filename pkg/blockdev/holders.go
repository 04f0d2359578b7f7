package blockdev

import (
	"os"
	"path/filepath"
	"slices"
)

// Holders returns the names of the devices above a device or one of its partitions, directly or
// indirectly, each once. It is the opposite of Device.Parents (block/holder.c: bd_link_disk_holder
// makes both links). A device that is being removed has none. sys is the mount point of sysfs.
func Holders(sys, name string) []string {
	var out []string
	level := []string{name}
	for range maxDepth {
		var next []string
		for _, device := range level {
			dir := filepath.Join(sys, "class/block", device)
			parts, _ := partitionNames(dir)
			for _, part := range append(parts, ".") {
				holders, _ := os.ReadDir(filepath.Join(dir, part, "holders"))
				for _, h := range holders {
					if !slices.Contains(out, h.Name()) {
						out, next = append(out, h.Name()), append(next, h.Name())
					}
				}
			}
		}
		level = next
	}
	return out
}
