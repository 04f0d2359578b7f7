package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// Dnsmasq is a running dnsmasq: a server of DHCP, router advertisements and TFTP.
type Dnsmasq struct{ process *Process }

// StartDnsmasq starts a dnsmasq that is configured by args, its long options, alone, and returns
// when it is ready. It pings no address before it offers it, and serves no DNS. Without --user= it
// runs as root, and its TFTP serves only files that are readable for all.
func (ns *Namespace) StartDnsmasq(ctx context.Context, args ...string) (*Dnsmasq, error) {
	program, err := lookDnsmasq()
	if err != nil {
		return nil, fmt.Errorf("start dnsmasq: %w", err)
	}
	dir, err := os.MkdirTemp(ns.Dir(), "dnsmasq-")
	if err != nil {
		return nil, fmt.Errorf("start dnsmasq: %w", err)
	}
	common := []string{
		"--conf-file=/dev/null", "--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--pid-file=",
		"--port=0", "--no-ping", "--no-resolv", "--no-hosts", "--dhcp-leasefile=" + filepath.Join(dir, "leases"),
	}
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--user=") }) {
		common = append(common, "--user=root", "--group=") // not dip: a user namespace may have no other group than root's
	}
	p, err := ns.StartLogged(exec.Command(program, append(common, args...)...))
	if err != nil {
		return nil, err
	}
	d := &Dnsmasq{p}
	if err := d.waitReady(ctx); err != nil {
		return nil, fmt.Errorf("start dnsmasq: %w", errors.Join(err, p.Kill()))
	}
	return d, nil
}

func lookDnsmasq() (string, error) {
	program, err := exec.LookPath("dnsmasq")
	if errors.Is(err, exec.ErrNotFound) {
		program, err = exec.LookPath("/usr/sbin/dnsmasq")
	}
	if err != nil {
		return "", fmt.Errorf("%w: run scripts/deps.sh", err)
	}
	return program, nil
}

// waitReady waits for the line that dnsmasq writes when its sockets are open.
func (d *Dnsmasq) waitReady(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(d.Log(), "started, version") {
		select {
		case <-d.process.Done():
			return fmt.Errorf("%w: %s", errEnded, lastLines(d.Log(), 3))
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Log is what dnsmasq has printed so far, a line for each message of DHCP.
func (d *Dnsmasq) Log() string { return d.process.Log() }

// Stop kills dnsmasq.
func (d *Dnsmasq) Stop() error { return d.process.Kill() }

// AddVeth makes a wire between the namespace and another: two Ethernet devices, down and without
// addresses.
func (ns *Namespace) AddVeth(name string, other *Namespace, peer string) error {
	err := ns.Do(func() error {
		la := netlink.NewLinkAttrs()
		la.Name = name
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: peer}); err != nil {
			return err
		}
		link, err := netlink.LinkByName(peer)
		if err != nil {
			return err
		}
		other.mu.Lock()
		defer other.mu.Unlock()
		if other.closed {
			return ErrClosed
		}
		return netlink.LinkSetNsFd(link, other.fd)
	})
	if err != nil {
		return fmt.Errorf("add veth %s to %s: %w", name, peer, err)
	}
	return nil
}
