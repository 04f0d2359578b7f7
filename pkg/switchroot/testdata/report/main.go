// Report is the real init of the test of Switch: it prints its arguments, environment and mounts.
// Descriptor 10 is the initramfs, 11 a file system mounted in it, if they are open.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	fmt.Printf("pid %d\n", os.Getpid())
	fmt.Printf("argv %q\n", os.Args)
	fmt.Printf("env %q\n", os.Environ())
	cwd, err := os.Getwd()
	fmt.Printf("cwd %s %v\n", cwd, err)
	for _, dir := range []string{"/", "/dev", "/run"} {
		entries, err := os.ReadDir(dir)
		fmt.Printf("in %s: %v %v\n", dir, entries, err)
	}
	for fd, name := range map[uintptr]string{10: "initramfs", 11: "other"} {
		names, err := os.NewFile(fd, name).Readdirnames(-1)
		slices.Sort(names)
		fmt.Printf("%s: %v %v\n", name, names, err)
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		left, right, _ := strings.Cut(line, " - ")
		fmt.Printf("mount %s %s\n", strings.Fields(left)[4], strings.Fields(right)[0])
	}
	fmt.Printf("mounts: %v\n", err)
}
