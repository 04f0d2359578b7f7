package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/discovery"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// proxy starts a fault proxy at addr in front of a portal.
func (r *rig) proxy(addr string, portal netip.AddrPort, faults ...faultproxy.Fault) *faultproxy.Proxy {
	r.t.Helper()
	var l net.Listener
	err := r.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	p := faultproxy.Start(l, func(ctx context.Context) (net.Conn, error) { return r.dial(ctx, portal.String()) }, faults...)
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

// dial connects from inside the namespace.
func (r *rig) dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	var d net.Dialer
	err = r.ns.Do(func() error {
		conn, err = d.DialContext(ctx, "tcp", addr)
		return err
	})
	return conn, err
}

// exchanges is the number of PDUs in each direction of a discovery session with CHAP: the method,
// the algorithm, the response, the operational stage, SendTargets, the logout.
const exchanges = 6

// Each fault once at each of a discovery session's first six PDUs, in both directions: a second
// attempt always succeeds, and an attempt without a loss needs none. No attempt exceeds its
// time-out. This is the work of "iscsiroot discover", and tests the login and the text exchange of
// pkg/iscsi over TCP, against a real target. The login of a boot uses the kernel's connection: see
// TestSoakFaultMatrix.
func TestDiscoveryFaultMatrix(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	target, err := targets.StartTgtd(r.ctx, r.ns, targets.Config{
		Name: targetName, Portal: netip.MustParseAddrPort("10.77.0.1:3260"), LUNs: map[int]string{1: r.disk.Path}, DiscoveryCHAP: mutual,
	})
	if err != nil {
		t.Fatal(err)
	}
	var cases sync.WaitGroup
	for _, f := range append(discoveryMatrix(), faultproxy.Fault{PDU: exchanges + 1}) { // the last one never occurs
		cases.Go(func() { r.discoverThrough(target, f) })
	}
	cases.Wait()
}

func discoveryMatrix() (all []faultproxy.Fault) {
	for pdu := 1; pdu <= exchanges; pdu++ {
		for _, d := range []faultproxy.Direction{faultproxy.ToTarget, faultproxy.ToInitiator} {
			for _, a := range faultproxy.Actions() {
				pause := 100 * time.Millisecond
				if a == faultproxy.Bytewise {
					pause = time.Millisecond
				}
				all = append(all, faultproxy.Fault{Direction: d, PDU: pdu, Action: a, Pause: pause, Until: 1})
			}
		}
	}
	return all
}

// discoverThrough discovers through a proxy with a fault, with a second attempt if the first one
// fails.
func (r *rig) discoverThrough(target targets.Target, f faultproxy.Fault) {
	p := r.proxy("10.77.0.1:0", target.Addr(), f)
	var found []iscsi.DiscoveredTarget
	var errs []error
	for range 2 {
		var err error
		if found, err = r.discover(p); err == nil {
			break
		}
		errs = append(errs, err)
	}
	lost := f.PDU <= exchanges && f.Action != faultproxy.Delay && f.Action != faultproxy.Bytewise
	last := f.PDU == exchanges // discovery is complete before the logout
	switch {
	case len(found) != 1 || found[0].Name != targetName:
		r.t.Errorf("%v: found %v, errors %v", f, found, errs)
	case !lost && len(errs) > 0, lost && !last && len(errs) != 1:
		r.t.Errorf("%v: errors %v", f, errs)
	case f.PDU <= exchanges && p.Triggered() != 1, f.PDU > exchanges && p.Triggered() != 0:
		r.t.Errorf("%v: %d faults injected", f, p.Triggered())
	}
	for _, err := range errs {
		if !rightError(f.Action, err) {
			r.t.Errorf("%v: the wrong error: %v", f, err)
		}
	}
}

// rightError reports whether an error fits the fault: a time-out, or the end of the connection.
func rightError(a faultproxy.Action, err error) bool {
	if a == faultproxy.Drop || a == faultproxy.BlackHole {
		return errors.Is(err, context.DeadlineExceeded)
	}
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}, func(want error) bool {
		return errors.Is(err, want)
	})
}

// tryTimeout is for one attempt through the proxy, in parallel with all others.
const tryTimeout = 3 * time.Second

func (r *rig) discover(p *faultproxy.Proxy) ([]iscsi.DiscoveredTarget, error) {
	begin := time.Now()
	at, err := bootspec.ParsePortal(p.Addr().String())
	if err != nil {
		return nil, err
	}
	answer, err := discovery.Discover(r.ctx, at, discovery.Config{
		Initiator: initiator, CHAP: credentials(mutual, iscsi.MD5), Timeout: tryTimeout,
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) { return r.dial(ctx, addr) },
	})
	if took := time.Since(begin); took > tryTimeout+time.Second {
		err = fmt.Errorf("took %v, longer than its time-out (%w)", took, err)
	}
	return answer.Targets, err
}
