//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// showNet prints the interfaces: name, MTU, addresses, what each is part of, and what bonds and
// VLANs are.
func showNet() error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, l := range links {
		dir := filepath.Join("/sys/class/net", l.Name)
		text := fmt.Sprintf("%s mtu %d", l.Name, l.MTU)
		addrs, err := l.Addrs()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			text += " " + a.String()
		}
		if master, err := os.Readlink(filepath.Join(dir, "master")); err == nil {
			text += " part of " + filepath.Base(master)
		}
		for _, file := range []string{"bonding/mode", "bonding/active_slave", "bonding/miimon", "carrier"} {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				text += fmt.Sprintf(" %s %s", filepath.Base(file), strings.TrimSpace(string(b)))
			}
		}
		if b, err := os.ReadFile(filepath.Join("/proc/net/vlan", l.Name)); err == nil {
			_, id, _ := strings.Cut(string(b), "VID: ") // net/8021q/vlanproc.c: vlandev_seq_show
			text += " vlan " + strings.Fields(id + " none")[0]
		}
		say("net: %s", text)
	}
	return show("route: ", "/proc/net/route")
}
