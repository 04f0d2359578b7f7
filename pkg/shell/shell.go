package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Name is argv[0] of the prompt: cmd/init runs Main for it.
const Name = "iscsiroot-shell"

// Exit statuses by which the prompt asks PID 1 for the machine's end.
const (
	ExitReboot   = 100
	ExitPowerOff = 101
)

// imageShells are the shells that an image may hold.
var imageShells = []string{"/bin/sh", "/usr/bin/sh", "/bin/bash", "/bin/busybox"}

// Command returns the path of the program to run and its argv: want if it is
// given, a shell of the image, or the prompt.
func Command(want string) []string { return command("/", want) }

// command is Command for an image that is at root.
func command(root, want string) []string {
	if want != "" {
		return []string{want, want}
	}
	for _, path := range imageShells {
		if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return []string{path, "sh"}
		}
	}
	return []string{"/proc/self/exe", Name}
}

// Main is the prompt. It returns the exit status.
func Main(in io.Reader, out io.Writer) int {
	_, _ = fmt.Fprintln(out, "iscsiroot: this image holds no shell; help lists what this prompt can do")
	lines := bufio.NewScanner(in)
	for {
		_, _ = fmt.Fprint(out, "iscsiroot> ")
		if !lines.Scan() {
			return 0
		}
		args := strings.Fields(lines.Text())
		if len(args) == 0 {
			continue
		}
		switch args[0] {
		case "exit":
			return 0
		case "reboot":
			return ExitReboot
		case "poweroff":
			return ExitPowerOff
		}
		if err := run(out, args[0], args[1:]); err != nil {
			_, _ = fmt.Fprintf(out, "iscsiroot: %s: %v\n", args[0], err)
		}
	}
}

// run does one command.
func run(out io.Writer, name string, args []string) error {
	switch name {
	case "help":
		_, err := fmt.Fprintln(out, "cat FILE...     show files\nls [PATH...]    list directories\nexit            go on\nreboot          reboot the machine\npoweroff        switch it off")
		return err
	case "cat":
		return each(args, func(path string) error { return cat(out, path) })
	case "ls":
		if len(args) == 0 {
			args = []string{"/"}
		}
		return each(args, func(path string) error { return ls(out, path) })
	}
	return fmt.Errorf("no such command: try help")
}

// each calls f for each path and for what a pattern stands for.
func each(args []string, f func(string) error) error {
	for _, arg := range args {
		paths, err := filepath.Glob(arg)
		if err != nil || len(paths) == 0 {
			paths = []string{arg}
		}
		for _, path := range paths {
			if err := f(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func cat(out io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(out, f)
	return err
}

// ls lists a directory, or names what is none: a pattern stands for both.
func ls(out io.Writer, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, syscall.ENOTDIR) || err != nil && info.Mode().Type() == fs.ModeSymlink {
		return line(out, info.Mode(), path)
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if err := line(out, e.Type(), e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// line writes one line of ls; the first letter of the mode is the kind of file.
func line(out io.Writer, mode fs.FileMode, name string) error {
	_, err := fmt.Fprintln(out, mode.String()[:1]+" "+name)
	return err
}
