// Package release finds releases of kernels, by which their modules are found.
package release

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Running returns the release of the Linux kernel that runs here, as proc_sys_kernel(5) has it;
// proc is where procfs is mounted. Other systems have no such file, and no modules either.
func Running(proc string) (string, error) {
	name := filepath.Join(proc, "sys/kernel/osrelease")
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("no Linux kernel is known to run here (%w): give --kernel-version, and --root with its modules", err)
	}
	return strings.TrimSpace(string(text)), nil
}
