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

// attempt tries on one link what one line wants.
type attempt struct {
	bootspec.IP
	net    bootspec.Net
	boot   bool   // the line is that of the boot
	name   string // of the link
	mac    net.HardwareAddr
	metric int           // of its routes: the boot's line has 0 and goes before others
	limit  time.Duration // for each method, where there are several
	root   bool          // the root path is wanted
	report func(string)
	// sinceBoot is Config.SinceBoot.
	sinceBoot func() time.Duration
}

// methodLimit is for how long a method is tried before the next one has its
// turn, if rd.net.timeout.dhcp= does not say.
const methodLimit = 15 * time.Second

// run tries the methods in their order until one succeeds, and then from the
// beginning.
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
			return dhcp.Lease{}, errors.Join(errs...) // there was nothing to wait for
		}
	}
}

// method tries one; if there are others, only for a while.
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

// static is what the line says itself.
func (a *attempt) static() dhcp.Lease {
	l := dhcp.Lease{Interface: a.name, Method: dhcp.Static, Address: a.Address, DNS: a.DNS, HostName: a.HostName}
	a.gateway(&l)
	return l
}

// gateway lets the line's default route count more than that of a lease.
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
	if a.Address.IsValid() { // as for the kernel, what is given counts
		l.Address = a.Address
	}
	a.gateway(&l)
	return l, nil
}

// safely turns a panic over what was received into an error: PID 1 runs this.
func (a *attempt) safely(ctx context.Context, f func(context.Context) (dhcp.Lease, error)) (l dhcp.Lease, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: internal error: panic: %v", a.name, v)
		}
	}()
	return f(ctx)
}

// sysctl writes a setting of the link's IPv6, and tells whether the kernel has
// it.
func (a *attempt) sysctl(name, value string) bool {
	return os.WriteFile("/proc/sys/net/ipv6/conf/"+a.name+"/"+name, []byte(value), 0) == nil
}
