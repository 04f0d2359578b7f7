package runstate

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// maxLease is how long a lease may be, in bytes, to its writer and its reader.
const maxLease = 64 << 10

// FormatLease writes a lease as lines of key=value; a key stands once for each value. What was
// redacted from the root path and what was ignored is not in it, nor is what is empty, or longer
// than maxLease lets it be.
func FormatLease(l dhcp.Lease) string {
	b := lines{limit: maxLease}
	line := func(key, value string) {
		if value != "" {
			b.add("%s=%s\n", key, words.Plain(value))
		}
	}
	line("interface", l.Interface)
	line("method", string(l.Method))
	if l.Address.IsValid() {
		line("address", l.Address.String())
	}
	line("server", addr(l.Server))
	line("server-id", hex.EncodeToString(l.ServerID))
	line("client-id", hex.EncodeToString(l.ClientID))
	if l.IAID != 0 {
		line("iaid", strconv.FormatUint(uint64(l.IAID), 10))
	}
	for _, t := range leaseTimes(&l) {
		line(t.key, duration(*t.at))
	}
	formatLists(l, line)
	line("domain", l.Domain)
	line("hostname", l.HostName)
	if l.MTU != 0 {
		line("mtu", strconv.Itoa(l.MTU))
	}
	line("root-path", l.ShownRootPath())
	line("initiator", l.Initiator)
	line("boot-server", addr(l.BootServer))
	line("boot-file", l.BootFile)
	return b.String()
}

// formatLists writes what there may be several of.
func formatLists(l dhcp.Lease, line func(key, value string)) {
	for _, r := range l.Routes {
		line("route", strings.TrimSpace(r.To.String()+" "+addr(r.Via)))
	}
	for _, a := range l.DNS {
		line("dns", addr(a))
	}
	for _, a := range l.NTP {
		line("ntp", addr(a))
	}
	for _, s := range l.Search {
		line("search", s)
	}
}

// addr writes an address; nothing for none.
func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// leaseTimes pairs the lease's times with their keys.
func leaseTimes(l *dhcp.Lease) []struct {
	key string
	at  *time.Duration
} {
	return []struct {
		key string
		at  *time.Duration
	}{
		{"obtained", &l.Obtained},
		{"lifetime", &l.Lifetime},
		{"renew", &l.Renew},
		{"rebind", &l.Rebind},
		{"preferred", &l.Preferred},
	}
}

func duration(d time.Duration) string {
	switch d {
	case 0:
		return ""
	case dhcp.Infinite:
		return "infinite"
	}
	return d.String()
}

// ParseLease reads what FormatLease wrote. Unknown keys are ignored.
func ParseLease(text string) (dhcp.Lease, error) {
	var l dhcp.Lease
	if len(text) > maxLease {
		return l, fmt.Errorf("parse lease: %d bytes, limit %d", len(text), maxLease)
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return dhcp.Lease{}, fmt.Errorf("parse lease: line %d: no =", n)
		}
		if strings.HasPrefix(value, `"`) {
			unquoted, err := strconv.Unquote(value)
			if err != nil {
				return dhcp.Lease{}, fmt.Errorf("parse lease: line %d: %w", n, err)
			}
			value = unquoted
		}
		if err := setLease(&l, key, value); err != nil {
			return dhcp.Lease{}, fmt.Errorf("parse lease: line %d: %s: %w", n, key, err)
		}
	}
	return l, nil
}

// setLease takes one line in.
func setLease(l *dhcp.Lease, key, value string) (err error) {
	for _, t := range leaseTimes(l) {
		if t.key == key {
			*t.at, err = parseDuration(value)
			return err
		}
	}
	var a netip.Addr
	var n uint64
	switch key {
	case "version":
		err = checkVersion(value)
	case "address":
		l.Address, err = netip.ParsePrefix(value)
	case "server":
		l.Server, err = netip.ParseAddr(value)
	case "server-id":
		l.ServerID, err = hex.DecodeString(value)
	case "client-id":
		l.ClientID, err = hex.DecodeString(value)
	case "iaid":
		n, err = strconv.ParseUint(value, 10, 32)
		l.IAID = uint32(n)
	case "route":
		err = addRoute(l, value)
	case "dns":
		a, err = netip.ParseAddr(value)
		l.DNS = append(l.DNS, a)
	case "ntp":
		a, err = netip.ParseAddr(value)
		l.NTP = append(l.NTP, a)
	case "mtu":
		n, err = strconv.ParseUint(value, 10, 16)
		l.MTU = int(n)
	case "boot-server":
		l.BootServer, err = netip.ParseAddr(value)
	default:
		setLeaseText(l, key, value)
	}
	return err
}

// setLeaseText sets a value that is a text.
func setLeaseText(l *dhcp.Lease, key, value string) {
	switch key {
	case "interface":
		l.Interface = value
	case "method":
		l.Method = dhcp.Method(value)
	case "domain":
		l.Domain = value
	case "search":
		if value != "" {
			l.Search = append(l.Search, value)
		}
	case "hostname":
		l.HostName = value
	case "root-path":
		l.RootPath = value
	case "initiator":
		l.Initiator = value
	case "boot-file":
		l.BootFile = value
	}
}

func addRoute(l *dhcp.Lease, value string) (err error) {
	to, via, ok := strings.Cut(value, " ")
	var r dhcp.Route
	if r.To, err = netip.ParsePrefix(to); err != nil {
		return err
	}
	if ok {
		if r.Via, err = netip.ParseAddr(via); err != nil {
			return err
		}
	}
	l.Routes = append(l.Routes, r)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	if s == "infinite" {
		return dhcp.Infinite, nil
	}
	return time.ParseDuration(s)
}
