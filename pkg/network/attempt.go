package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// attempt gets and configures an address for one line on one link.
type attempt struct {
	bootspec.IP
	net    bootspec.Net
	boot   bool   // the line is the boot's
	name   string // of the link
	mac    net.HardwareAddr
	metric int           // of its routes: the boot's line has 0, which takes precedence
	limit  time.Duration // for each method, if there are several
	root   bool          // a root path is preferred
	report func(string)
	// sinceBoot is Config.SinceBoot.
	sinceBoot func() time.Duration
}

// methodLimit is how long a method is tried before the next one, unless rd.net.timeout.dhcp= sets
// it.
const methodLimit = 15 * time.Second

// run tries the methods in their order until one succeeds, and then starts over.
func (a *attempt) run(ctx context.Context) (dhcp.Lease, error) {
	for {
		var errs []error
		for _, m := range a.Methods {
			l, err := a.method(ctx, m)
			if err == nil {
				return l, nil
			}
			if ctx.Err() != nil {
				return l, ctx.Err()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				errs = append(errs, err)
			}
			a.report(err.Error())
		}
		if len(errs) == len(a.Methods) {
			return dhcp.Lease{}, errors.Join(errs...) // no method can succeed later
		}
	}
}

// method tries one method; with a time limit if there are others.
func (a *attempt) method(ctx context.Context, m bootspec.Method) (dhcp.Lease, error) {
	if len(a.Methods) > 1 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, a.limit)
		defer cancel()
	}
	switch m {
	case bootspec.Static:
		return a.static(), nil
	case bootspec.DHCP:
		return a.dhcp4(ctx)
	case bootspec.DHCP6, bootspec.Auto6, bootspec.Either6, bootspec.LinkLocal:
		return a.ipv6(ctx, m)
	}
	return dhcp.Lease{}, fmt.Errorf("%s: unsupported method %s", a.name, m)
}

// static returns the configuration in the line itself.
func (a *attempt) static() dhcp.Lease {
	l := dhcp.Lease{Interface: a.name, Method: dhcp.Static, Address: a.Address, DNS: a.DNS, HostName: a.HostName}
	a.gateway(&l)
	return l
}

// gateway replaces a lease's default route by the line's.
func (a *attempt) gateway(l *dhcp.Lease) {
	via := a.IP.Gateway
	if !via.IsValid() || l.V6() != via.Is6() {
		return
	}
	routes := []dhcp.Route{{To: netip.PrefixFrom(via, 0).Masked(), Via: via}}
	for _, r := range l.Routes {
		if r.To.Bits() != 0 {
			routes = append(routes, r)
		}
	}
	l.Routes = routes
}

func (a *attempt) dhcp4(ctx context.Context) (dhcp.Lease, error) {
	conn, err := dhcp4.Open(a.name)
	if err != nil {
		return dhcp.Lease{}, err
	}
	a.report(a.name + ": waiting for a DHCP server")
	l, err := dhcp4.Acquire(ctx, conn, dhcp4.Config{
		Interface: a.name, MAC: a.mac, ClientID: a.IP.DHCPClientID(a.mac), HostName: a.HostName,
		WantRootPath: a.root, Report: a.report, SinceBoot: a.sinceBoot,
	})
	if err != nil {
		return l, err
	}
	if a.Address.IsValid() { // the line's address takes precedence, as in the kernel
		l.Address = a.Address
	}
	a.gateway(&l)
	return l, nil
}

// safely turns a panic into an error: this runs in PID 1, on data from the network.
func (a *attempt) safely(ctx context.Context, f func(context.Context) (dhcp.Lease, error)) (l dhcp.Lease, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: internal error: panic: %v", a.name, v)
		}
	}()
	return f(ctx)
}

// sysctl writes an IPv6 setting of the link, and reports whether the kernel has it.
func (a *attempt) sysctl(name, value string) bool {
	return os.WriteFile("/proc/sys/net/ipv6/conf/"+a.name+"/"+name, []byte(value), 0) == nil
}
