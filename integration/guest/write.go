//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// writeAsked writes the files of a command NUMBERxBYTES.
func writeAsked(dir, text string) error {
	var n, size int
	if _, err := fmt.Sscanf(text, "%dx%d", &n, &size); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return writeFiles(dir, n, size)
}

// writeFiles writes n files of size random bytes with a list of their checksums, and reads them
// back past the page cache.
func writeFiles(dir string, n, size int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sums := ""
	random := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, size)
	for i := range n {
		_, _ = random.Read(buf)
		name := fmt.Sprintf("file%02d", i)
		if err := os.WriteFile(filepath.Join(dir, name), buf, 0o644); err != nil {
			return err
		}
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(buf), name)
	}
	if err := os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums), 0o644); err != nil {
		return err
	}
	unix.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return err
	}
	again := ""
	for i := range n {
		name := fmt.Sprintf("file%02d", i)
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		again += fmt.Sprintf("%x  %s\n", sha256.Sum256(b), name)
	}
	if again != sums {
		return fmt.Errorf("read back other bytes than were written")
	}
	say("wrote %d files of %d bytes", n, size)
	return nil
}
