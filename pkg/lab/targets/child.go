package targets

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// gotgtChild is the argv[0] under which this executable runs a gotgt target.
const gotgtChild = "iscsiroot-lab-gotgt"

var errNoMain = errors.New("this executable does not call targets.Main first")

// Main runs the child with a gotgt target if this process is one, and exits then. Otherwise it
// returns immediately. A program that starts targets calls it before anything else.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != gotgtChild {
		return
	}
	if err := runGotgt(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gotgt:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childCommand is a command that runs this executable again as the named child.
func childCommand(name string, args ...string) (*exec.Cmd, error) {
	if os.Args[0] == name { // a child that came here would start children without end
		return nil, errNoMain
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = name
	return cmd, nil
}
