package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// DuplicateError reports that another machine on the link has the address.
type DuplicateError struct {
	Interface string
	Addr      netip.Addr
}

// Error implements error.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("another machine on %s has the address %s", e.Interface, e.Addr)
}

// WaitAddress waits until an interface has an address that want accepts and that duplicate address
// detection is done with (RFC 4862 section 5.4): before that nothing can be sent from it. It
// returns a *DuplicateError if another machine has the address, or ctx's error.
func WaitAddress(ctx context.Context, name string, want func(netip.Addr) bool) (netip.Addr, error) {
	a, err := waitAddress(ctx, name, want)
	var duplicate *DuplicateError
	if err != nil && !errors.As(err, &duplicate) {
		if ctx.Err() != nil {
			err = ctx.Err() // what closed the socket
		}
		err = fmt.Errorf("wait for an address on %s: %w", name, err)
	}
	return a, err
}

// waitAddress reads all addresses after each change of any: the kernel's message is only a hint, so
// that a lost message loses nothing. It receives in this goroutine, unlike netlink.AddrSubscribe,
// whose goroutine cannot be contained.
func waitAddress(ctx context.Context, name string, want func(netip.Addr) bool) (netip.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, err
	}
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return netip.Addr{}, os.NewSyscallError("subscribe addresses", err)
	}
	defer s.Close()
	defer context.AfterFunc(ctx, contain.Func("the end of a wait", s.Close, nil))()
	for {
		a, err := address(i, want)
		if errors.Is(err, netlink.ErrDumpInterrupted) && ctx.Err() == nil {
			continue // something changed meanwhile
		}
		if a.IsValid() || err != nil {
			return a, err
		}
		if _, _, err := s.Receive(); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return netip.Addr{}, err
		}
	}
}

// address returns an interface's address that can be used; none is no error.
func address(i *net.Interface, want func(netip.Addr) bool) (netip.Addr, error) {
	all, err := netlink.AddrList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: i.Index}}, netlink.FAMILY_ALL)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, one := range all {
		a, _ := netip.AddrFromSlice(one.IP)
		a = a.Unmap()
		switch {
		case !want(a):
		case one.Flags&unix.IFA_F_DADFAILED != 0:
			return netip.Addr{}, &DuplicateError{i.Name, a}
		case one.Flags&unix.IFA_F_TENTATIVE == 0 || one.Flags&unix.IFA_F_OPTIMISTIC != 0:
			return a, nil
		}
	}
	return netip.Addr{}, nil
}

// LinkLocal is an argument of WaitAddress: any link-local address.
func LinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Within returns an argument of WaitAddress: an address in that network.
func Within(p netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return p.Contains(a) }
}
