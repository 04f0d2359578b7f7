package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guest holds what runs in the machine and is not Go: C, and shell scripts.
//
//go:embed guest
var guest embed.FS

// natives are the C programs and how gcc makes them.
var natives = map[string][]string{
	"realinit":   {"-static"},
	"throughput": {"-static", "-pthread"},
	"limit":      {"-static"},
	"sleepless":  {"-shared", "-fPIC"},
}

// compile compiles the C programs into dir and returns their paths.
func compile(ctx context.Context, dir string) (map[string]string, error) {
	out := map[string]string{}
	for name, flags := range natives {
		text, err := guest.ReadFile("guest/" + name + ".c")
		if err != nil {
			return nil, err
		}
		source := filepath.Join(dir, name+".c")
		if err := os.WriteFile(source, text, 0o600); err != nil {
			return nil, err
		}
		out[name] = filepath.Join(dir, name)
		args := append([]string{"-O2", "-s", "-o", out[name], source}, flags...)
		if text, err := exec.CommandContext(ctx, "gcc", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compile %s.c: %w: %s", name, err, text)
		}
	}
	return out, nil
}
