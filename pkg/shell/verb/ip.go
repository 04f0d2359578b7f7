package verb

import (
	"context"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func ipVerb() Verb {
	return Verb{
		Name: "ip", Args: "[-4|-6] [link|addr|route|neigh] [COMMAND...]", Help: "show and repair the network", Group: Network,
		Complete: func() []string { return []string{"link", "addr", "route", "neigh"} },
		More: "ip link [show [DEV]]; ip link set DEV up|down|mtu N\n" +
			"ip addr [show [DEV]]; ip addr add|del ADDRESS/LENGTH dev DEV; ip addr flush dev DEV\n" +
			"ip route; ip route add|del default|ADDRESS/LENGTH [via ADDRESS] [dev DEV]\n" +
			"ip neigh; ip neigh flush dev DEV",
		Run: func(_ context.Context, c *Call) error {
			family, args := netlink.FAMILY_ALL, c.Args
			for len(args) > 0 && (args[0] == "-4" || args[0] == "-6") {
				family = map[string]int{"-4": netlink.FAMILY_V4, "-6": netlink.FAMILY_V6}[args[0]]
				args = args[1:]
			}
			object, command := "addr", "show"
			if len(args) > 0 {
				object, args = args[0], args[1:]
			}
			if len(args) > 0 {
				command, args = args[0], args[1:]
			}
			return ip{c, family}.run(object, command, args)
		},
	}
}

type ip struct {
	*Call
	family int
}

// run accepts abbreviated objects and commands, as ip(8) does.
func (i ip) run(object, command string, args []string) error {
	is := func(word, full string) bool { return word != "" && strings.HasPrefix(full, word) }
	show := is(command, "show") || is(command, "list") || command == "ls"
	w := words(args)
	switch {
	case is(object, "link") && show:
		return i.links(w.device())
	case is(object, "link") && is(command, "set"):
		return i.setLink(args)
	case is(object, "address") && show:
		return i.addresses(w.device())
	case is(object, "address") && is(command, "flush"):
		return i.flushAddresses(w.device())
	case is(object, "address") && (is(command, "add") || is(command, "delete")):
		return i.changeAddress(is(command, "add"), args)
	case is(object, "route") && show:
		return i.routes()
	case is(object, "route") && (is(command, "add") || is(command, "delete") || is(command, "replace")):
		return i.changeRoute(command[0], args)
	case is(object, "neighbour") && show, is(object, "neighbor") && show:
		return i.neighbours()
	case is(object, "neighbour") && is(command, "flush"):
		return i.flushNeighbours(w.device())
	}
	return usage("unknown command: ip %s %s", object, command)
}

// words are arguments of ip: names and their values.
type words []string

// value returns the word that follows a name.
func (w words) value(name string) string {
	for i := 0; i+1 < len(w); i++ {
		if w[i] == name {
			return w[i+1]
		}
	}
	return ""
}

// device returns the word that follows dev, or a single word.
func (w words) device() string {
	if len(w) == 1 {
		return w[0]
	}
	return w.value("dev")
}

// state formats the state of a link as ip(8) does.
func state(a *netlink.LinkAttrs) string {
	var flags []string
	for _, f := range []struct {
		bit  uint32
		name string
	}{
		{unix.IFF_LOOPBACK, "LOOPBACK"},
		{unix.IFF_BROADCAST, "BROADCAST"},
		{unix.IFF_MULTICAST, "MULTICAST"},
		{unix.IFF_UP, "UP"},
		{unix.IFF_LOWER_UP, "LOWER_UP"},
	} {
		if a.RawFlags&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	if a.RawFlags&unix.IFF_UP != 0 && a.RawFlags&unix.IFF_LOWER_UP == 0 {
		flags = append([]string{"NO-CARRIER"}, flags...)
	}
	return "<" + strings.Join(flags, ",") + "> mtu " + strconv.Itoa(a.MTU) + " state " + strings.ToUpper(a.OperState.String())
}

// linkList is one link, or all if name is empty.
func linkList(name string) ([]netlink.Link, error) {
	if name == "" {
		return netlink.LinkList()
	}
	l, err := netlink.LinkByName(name)
	return []netlink.Link{l}, err
}

func (i ip) links(name string) error {
	list, err := linkList(name)
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := i.link(l); err != nil {
			return err
		}
	}
	return nil
}

func (i ip) link(l netlink.Link) error {
	a := l.Attrs()
	kind := "ether"
	if a.RawFlags&unix.IFF_LOOPBACK != 0 {
		kind = "loopback"
	}
	return i.Printf("%d: %s: %s\n    %s\n", a.Index, a.Name, state(a), strings.TrimSpace(kind+" "+a.HardwareAddr.String()))
}

func (i ip) addresses(name string) error {
	list, err := linkList(name)
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := i.link(l); err != nil {
			return err
		}
		addrs, err := netlink.AddrList(l, i.family)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			inet := "inet"
			if a.IP.To4() == nil {
				inet = "inet6"
			}
			if err := i.Printf("    %s %s scope %s\n", inet, a.IPNet, scope(a.Scope)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scope is ip(8)'s word for an address's scope.
func scope(s int) string {
	if s == unix.RT_SCOPE_UNIVERSE {
		return "global"
	}
	return netlink.Scope(s).String()
}

func (i ip) neighbours() error {
	list, err := netlink.NeighList(0, i.family)
	if err != nil {
		return err
	}
	names := map[int]string{}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, n := range list {
		if n.State&unix.NUD_NOARP != 0 {
			continue
		}
		if err := i.Printf("%s dev %s lladdr %s %s\n", n.IP, names[n.LinkIndex], n.HardwareAddr, neighbourState(n.State)); err != nil {
			return err
		}
	}
	return nil
}

func neighbourState(s int) string {
	for _, n := range []struct {
		bit  int
		name string
	}{
		{unix.NUD_REACHABLE, "REACHABLE"},
		{unix.NUD_STALE, "STALE"},
		{unix.NUD_DELAY, "DELAY"},
		{unix.NUD_PROBE, "PROBE"},
		{unix.NUD_FAILED, "FAILED"},
		{unix.NUD_INCOMPLETE, "INCOMPLETE"},
		{unix.NUD_PERMANENT, "PERMANENT"},
	} {
		if s&n.bit != 0 {
			return n.name
		}
	}
	return "NONE"
}
