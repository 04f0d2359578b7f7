//go:build linux

package trial

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// network gives the host's end of the wire the address of every server of the machine.
func (b *bench) network() (err error) {
	if b.portal, err = b.firstPortal(); err != nil {
		return err
	}
	web, _ := webServer(b.Room.HTTP) // none: the tree does not use it either
	net := b.host.Address
	var addrs []netip.Prefix
	for _, a := range []netip.Addr{b.Room.Server, b.portal.Addr(), b.host.Gateway, web.Addr()} {
		if !a.IsValid() || slices.ContainsFunc(addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
			continue
		}
		if a == net.Addr() {
			return fmt.Errorf("%s is the machine's own address and a server's", a)
		}
		bits := a.BitLen()
		if net.Masked().Contains(a) {
			bits = net.Bits()
		}
		addrs = append(addrs, netip.PrefixFrom(a, bits))
	}
	b.tap, err = b.ns.AddTap("tap0", addrs...)
	return err
}

// firstPortal is the first one of the machine's.
func (b *bench) firstPortal() (netip.AddrPort, error) {
	p := b.host.Portals[0]
	addr, err := netip.ParseAddr(p.Host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("portal %s: names are not looked up here: write its address", p.Host)
	}
	if len(b.host.Portals) > 1 {
		b.note("of its portals only %s is there", p)
	}
	port := p.Port
	if port == 0 {
		port = bootspec.DefaultPort
	}
	return netip.AddrPortFrom(addr, port), nil
}

// serve starts DHCP, TFTP and, if the tree has a URL, HTTP.
func (b *bench) serve(ctx context.Context, dir string) error {
	_, err := b.ns.StartDnsmasq(ctx, "--interface="+b.tap.Name(), "--conf-file="+filepath.Join(dir, "dnsmasq.conf"))
	if err != nil {
		return err
	}
	addr, err := webServer(b.Room.HTTP)
	if err != nil || !addr.IsValid() {
		return nil
	}
	u, err := url.Parse(b.Room.HTTP)
	if err != nil {
		return err
	}
	web, tree := filepath.Join(dir, "web"), filepath.Join(dir, "tftp")
	if u.Path == "" || u.Path == "/" {
		web = tree
	} else {
		at := filepath.Join(web, filepath.Clean("/"+u.Path))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return err
		}
		if err := os.Symlink(tree, at); err != nil {
			return err
		}
	}
	_, err = b.ns.StartHTTP(addr, web)
	return err
}

// target starts a target with the machine's disk: gotgt, or tgtd for CHAP.
func (b *bench) target(ctx context.Context) error {
	disk, err := b.disk(ctx)
	if err != nil {
		return err
	}
	n, ok := b.host.LUN.Number()
	if !ok {
		return fmt.Errorf("LUN %s is not supported by the targets here", b.host.LUN)
	}
	c := targets.Config{Name: b.host.Target, Portal: b.portal, LUNs: map[int]string{int(n): disk}}
	if b.host.CHAP == nil {
		_, err = targets.StartGotgt(ctx, b.ns, c)
		return err
	}
	c.LUNs = map[int]string{max(1, int(n)): disk} // as in tgt.conf
	c.Initiators = []string{b.host.Initiator}
	c.CHAP = targets.CHAP{
		User: b.host.CHAP.User, Secret: string(b.host.CHAP.Secret.Bytes()),
		MutualUser: b.host.CHAP.TargetUser, MutualSecret: string(b.host.CHAP.TargetSecret.Bytes()),
	}
	_, err = targets.StartTgtd(ctx, b.ns, c)
	return err
}

// Main runs a target if this process is one that Run has started from the same executable, and
// exits then. Otherwise it returns at once. A program that calls Run calls Main before anything
// else.
func Main() { targets.Main() }
