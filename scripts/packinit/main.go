//go:build linux

// Packinit INIT OUTPUT packs an init program in the form in which iscsiroot carries it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packinit:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("say packinit INIT OUTPUT")
	}
	packed, err := initramfs.PackInit(context.Background(), args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], packed, 0o644)
}
