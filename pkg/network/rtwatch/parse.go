package rtwatch

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// ends reports whether a message is the last one of an answer.
func ends(m syscall.NetlinkMessage) bool {
	return m.Header.Type == unix.NLMSG_DONE || m.Header.Type == unix.NLMSG_ERROR
}

// update reads a message. ok is false for one that is ignored.
func update(m syscall.NetlinkMessage) (u Update, ok bool) {
	err := contain.Call("", func() (err error) {
		u, ok, err = parse(m)
		return err
	})
	if err != nil {
		return Update{Err: fmt.Errorf("watch network: message %d: %w", m.Header.Type, err)}, true
	}
	return u, ok
}

func parse(m syscall.NetlinkMessage) (u Update, ok bool, err error) {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		u.Link, err = parseLink(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		u.Address, err = parseAddress(m)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		u.Neighbour, err = parseNeighbour(m)
	case unix.NLMSG_ERROR:
		err = parseError(m.Data)
	}
	return u, u != Update{}, err
}

// parseError reads struct nlmsgerr. Number 0 is an acknowledgement.
func parseError(b []byte) error {
	if len(b) < 4 {
		return errMessage
	}
	if n := int32(binary.NativeEndian.Uint32(b)); n != 0 {
		return unix.Errno(-n)
	}
	return nil
}

// parseLink reads struct ifinfomsg and its attributes. A message of family AF_BRIDGE is about a
// port's place in its bridge: RTM_DELLINK then means that the link has left the bridge, not that it
// was removed (net/bridge/br_netlink.c: br_info_notify).
func parseLink(m syscall.NetlinkMessage) (*netlink.LinkUpdate, error) {
	if len(m.Data) < unix.SizeofIfInfomsg {
		return nil, errMessage
	}
	info := nl.DeserializeIfInfomsg(m.Data)
	if info.Family != unix.AF_UNSPEC {
		return nil, nil
	}
	header := unix.NlMsghdr(m.Header)
	link, err := netlink.LinkDeserialize(&header, m.Data)
	if err != nil {
		return nil, err
	}
	return &netlink.LinkUpdate{IfInfomsg: *info, Header: header, Link: link}, nil
}

// parseAddress reads struct ifaddrmsg and its attributes. Of a point-to-point link IFA_ADDRESS is
// the peer's, IFA_LOCAL the interface's own (include/uapi/linux/if_addr.h).
func parseAddress(m syscall.NetlinkMessage) (*netlink.AddrUpdate, error) {
	if len(m.Data) < unix.SizeofIfAddrmsg {
		return nil, errMessage
	}
	msg := nl.DeserializeIfAddrmsg(m.Data)
	attrs, err := nl.ParseRouteAttr(m.Data[unix.SizeofIfAddrmsg:])
	if err != nil {
		return nil, err
	}
	u := &netlink.AddrUpdate{
		LinkIndex: int(msg.Index), NewAddr: m.Header.Type == unix.RTM_NEWADDR, Scope: int(msg.Scope), Flags: int(msg.Flags),
	}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			u.LinkAddress.IP = a.Value
		case unix.IFA_ADDRESS:
			if u.LinkAddress.IP == nil {
				u.LinkAddress.IP = a.Value
			}
		case unix.IFA_FLAGS:
			if len(a.Value) >= 4 {
				u.Flags = int(binary.NativeEndian.Uint32(a.Value))
			}
		}
	}
	if !isAddress(msg.Family, u.LinkAddress.IP) {
		return nil, errMessage
	}
	u.LinkAddress.Mask = net.CIDRMask(int(msg.Prefixlen), 8*len(u.LinkAddress.IP))
	return u, nil
}

// isAddress reports whether an address has the length of its family.
func isAddress(family uint8, ip net.IP) bool {
	return family == unix.AF_INET && len(ip) == net.IPv4len || family == unix.AF_INET6 && len(ip) == net.IPv6len
}

// parseNeighbour reads struct ndmsg and the neighbour's address. Those of family AF_BRIDGE are MAC
// addresses behind a bridge. netlink.NeighDeserialize is not used: it sends requests of its own for
// some links.
//
//	struct ndmsg { __u8 ndm_family, pad1; __u16 pad2; __s32 ndm_ifindex;
//	  __u16 ndm_state; __u8 ndm_flags, ndm_type; };
func parseNeighbour(m syscall.NetlinkMessage) (*netlink.NeighUpdate, error) {
	b := m.Data
	if len(b) < unix.SizeofNdMsg {
		return nil, errMessage
	}
	u := &netlink.NeighUpdate{Type: m.Header.Type, Neigh: netlink.Neigh{
		Family: int(b[0]), LinkIndex: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		State: int(binary.NativeEndian.Uint16(b[8:])), Flags: int(b[10]), Type: int(b[11]),
	}}
	if u.Family != unix.AF_INET && u.Family != unix.AF_INET6 {
		return nil, nil
	}
	attrs, err := nl.ParseRouteAttr(b[unix.SizeofNdMsg:])
	if err != nil {
		return nil, err
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.NDA_DST {
			u.IP = a.Value
		}
	}
	if !isAddress(b[0], u.IP) {
		return nil, errMessage
	}
	return u, nil
}
