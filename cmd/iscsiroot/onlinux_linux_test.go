package main

import "testing"

// Each command that is made for Linux stands in the list of those that need it, so that no other
// system lacks its name.
func TestCommandsOnLinux(t *testing.T) {
	var names []string
	for _, c := range linuxCommands(onLinux()) {
		names = append(names, c.Name())
		if c.DisableFlagParsing {
			t.Errorf("%s: not made", c.Name())
		}
	}
	if len(names) != len(onLinux()) {
		t.Errorf("%q of %d commands", names, len(onLinux()))
	}
}
