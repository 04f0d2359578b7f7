package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// showNetwork prints the links with their addresses, and the files that the boot has written about
// them.
func showNetwork() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	say("host name: %s", name)
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, l := range links {
		addrs, err := l.Addrs()
		if err != nil {
			return err
		}
		line := "link: " + l.Name + " " + strings.Split(l.Flags.String(), "|")[0]
		for _, a := range addrs {
			line += " " + a.String()
		}
		say("%s", line)
	}
	for _, pattern := range []string{"/run/net*.conf", "/run/iscsiroot/lease*", "/run/initramfs/open-iscsi.interface"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := show("file: "+filepath.Base(f)+": ", f); err != nil {
				return err
			}
		}
	}
	return nil
}
