//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// verify compares files with the list of checksums written by the host.
func verify(dir string) error {
	list, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return err
	}
	n, size := 0, 0
	for line := range strings.Lines(string(list)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if fmt.Sprintf("%x", sha256.Sum256(b)) != sum {
			return fmt.Errorf("%s is not what the host wrote", name)
		}
		n++
		size += len(b)
	}
	say("verified %d files of %d bytes in all", n, size)
	return nil
}
