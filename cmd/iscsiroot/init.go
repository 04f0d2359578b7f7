package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// findInit puts the init program into cfg: the one at path, or else the embedded one, or else the
// file named init beside this program.
func findInit(cfg *initramfs.Config, path string) error {
	if path != "" {
		cfg.InitPath = path
		return nil
	}
	if len(packedInit) > 0 {
		cfg.PackedInit = packedInit
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the init program: %w; name it with --init", err)
	}
	cfg.InitPath = filepath.Join(filepath.Dir(exe), "init")
	if _, err := os.Stat(cfg.InitPath); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find the init program: no %s; name it with --init", cfg.InitPath)
	}
	return nil
}
