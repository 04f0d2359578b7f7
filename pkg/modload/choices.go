//go:build linux

package modload

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Choices are what a kernel command line says about modules. Names are normalised, in the order given, each once.
type Choices struct {
	// Params are the parameters of modules, MODULE.PARAM=VALUE, in the form of Options.Params.
	Params map[string]string
	// Blacklist holds modules that no alias may load: modprobe.blacklist=, rd.driver.blacklist=, initramfs-tools'
	// blacklist=, and those of Post.
	Blacklist []string
	// Never holds what the kernel itself refuses to load, module_blacklist= (kernel/module/main.c, blacklisted).
	Never []string
	// Pre is loaded before all else, rd.driver.pre=.
	Pre []string
	// Post is loaded once the devices that are there have their drivers, rd.driver.post=.
	Post []string
}

// ParseLine finds what a command line says about modules. Lists are separated by commas, and a parameter that is there
// twice adds up. '-' and '_' are equal in keys too, as they are for the kernel.
func ParseLine(line cmdline.Line) Choices {
	c := Choices{Params: Params(line)}
	for _, p := range line.Params {
		var lists []*[]string
		switch normalise(p.Key) {
		case "modprobe.blacklist", "rd.driver.blacklist", "blacklist":
			lists = []*[]string{&c.Blacklist}
		case "module_blacklist":
			lists = []*[]string{&c.Never}
		case "rd.driver.pre":
			lists = []*[]string{&c.Pre}
		case "rd.driver.post":
			lists = []*[]string{&c.Post, &c.Blacklist}
		}
		for _, list := range lists {
			for name := range strings.SplitSeq(normalise(p.Value), ",") {
				if name != "" && !slices.Contains(*list, name) {
					*list = append(*list, name)
				}
			}
		}
	}
	return c
}

// normalise writes a module name as the kernel compares it.
func normalise(name string) string { return strings.ReplaceAll(name, "-", "_") }
