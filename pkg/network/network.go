package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// WaitError says what the network still lacked when the time was over.
type WaitError struct {
	State State
	Err   error // the context's error
}

// Error implements error.
func (e *WaitError) Error() string { return "network: " + e.State.String() }

// Unwrap returns why waiting ended.
func (e *WaitError) Unwrap() error { return e.Err }

// Heals tells whether more time could help: a cable can be plugged in.
func (e *WaitError) Heals() bool { return len(e.State.Links) > 0 }

// Config is what Up needs.
type Config struct {
	Net bootspec.Net
	// SysClassNet is /sys/class/net; it tells hardware from software devices.
	SysClassNet string
	// Report is called with each new state while there is no carrier; may be
	// nil. It must not block.
	Report func(State)
}

// Up sets the candidates up, waits for carrier and configures the first link
// that has it. It returns what was configured, a lease for each address, that
// of the boot first. It ends when ctx does, with a *WaitError.
func Up(ctx context.Context, cfg Config) ([]dhcp.Lease, error) {
	loopbackUp()
	link, err := waitCarrier(ctx, cfg)
	if err != nil {
		return nil, err
	}
	l, err := configure(link, cfg.Net)
	if err != nil {
		return nil, err
	}
	return []dhcp.Lease{l}, nil
}

// waitCarrier returns the first candidate with carrier, in the kernel's order.
func waitCarrier(ctx context.Context, cfg Config) (netlink.Link, error) {
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	defer close(done)
	broken := make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{
		ListExisting: true,
		ErrorCallback: func(err error) {
			select {
			case broken <- err:
			default:
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe links: %w", err)
	}
	st := newState(cfg)
	var found netlink.Link       // has carrier
	var confirm <-chan time.Time // when it has had it for long enough
	for {
		select {
		case u, open := <-updates:
			if !open {
				updates = nil
				continue
			}
			ready, changed, err := st.update(u)
			if err != nil {
				return nil, err
			}
			if found, confirm = st.chosen(found, ready, u, confirm); ready != nil {
				continue
			}
			if changed && cfg.Report != nil {
				cfg.Report(st.State)
			}
		case <-confirm:
			return found, nil
		case err := <-broken:
			return nil, fmt.Errorf("subscribe links: %w", err)
		case <-ctx.Done():
			return nil, &WaitError{State: st.State, Err: ctx.Err()}
		}
	}
}

// configure gives link its address and the default route. What is there
// already, from an earlier try, is no error.
func configure(link netlink.Link, n bootspec.Net) (dhcp.Lease, error) {
	l := dhcp.Lease{Interface: link.Attrs().Name, Method: dhcp.Static, Address: n.Address.V, HostName: n.HostName.V}
	addr := &netlink.Addr{IPNet: ipNet(l.Address)}
	if l.Address.Addr().Is6() {
		// A static address of ours is used at once; duplicate address
		// detection would hold it back for a second (RFC 4862 5.4).
		addr.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return dhcp.Lease{}, fmt.Errorf("add address %s to %s: %w", l.Address, l.Interface, err)
	}
	if !n.Gateway.Given() {
		return l, nil
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IP(n.Gateway.V.AsSlice())}
	if !l.Address.Contains(n.Gateway.V) {
		route.Flags = int(netlink.FLAG_ONLINK)
	}
	if err := netlink.RouteReplace(route); err != nil {
		return dhcp.Lease{}, fmt.Errorf("add default route by %s on %s: %w", n.Gateway.V, l.Interface, err)
	}
	l.Routes = []dhcp.Route{{To: netip.PrefixFrom(n.Gateway.V, 0).Masked(), Via: n.Gateway.V}}
	return l, nil
}

// loopbackUp sets lo up, which the real system's early programs expect. A
// kernel without it boots as well.
func loopbackUp() {
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo)
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   net.IP(p.Addr().AsSlice()),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}
}
