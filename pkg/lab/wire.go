package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Wire is a wire between a machine and a tap with addresses, on which this process carries each
// frame: the host's kernel needs no VLAN support, and no frame is larger than on a real wire.
type Wire struct {
	tap     *os.File
	machine *net.UnixConn
	peer    *net.UnixAddr
	args    []string
	vlan    uint16
	largest atomic.Int64
}

// AddWire makes a wire whose host side is the tap of that name. Frames of the machine's are of VLAN
// vlan, 1 to 4094, and others are dropped, as behind a switch's tagged port; 0: they are untagged.
// mtu is the tap's, in bytes.
func (ns *Namespace) AddWire(name string, vlan uint16, mtu int, addrs ...netip.Prefix) (*Wire, error) {
	w := &Wire{vlan: vlan}
	if err := w.open(ns, name, mtu, addrs); err != nil {
		return nil, fmt.Errorf("add wire %s: %w", name, errors.Join(err, w.Close()))
	}
	if err := ns.keep(w); err != nil {
		return nil, fmt.Errorf("add wire %s: %w", name, errors.Join(err, w.Close()))
	}
	go w.fromMachine() // until Close closes the socket
	go w.toMachine()   // until Close closes the tap
	return w, nil
}

func (w *Wire) open(ns *Namespace, name string, mtu int, addrs []netip.Prefix) error {
	labPath, qemuPath := filepath.Join(ns.Dir(), name+".lab"), filepath.Join(ns.Dir(), name+".qemu")
	err := ns.Do(func() error {
		link := &netlink.Tuntap{
			LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TAP, Queues: 1,
			Flags: netlink.TUNTAP_NO_PI, NonPersist: true,
		}
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		fd, err := unix.FcntlInt(link.Fds[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err = errors.Join(err, link.Fds[0].Close()); err != nil {
			return err
		}
		// Only one that can wait for events is ended by Close.
		if err := unix.SetNonblock(fd, true); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		w.tap = os.NewFile(uintptr(fd), name)
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			return err
		}
		return addAndUp(link, addrs)
	})
	if err != nil {
		return err
	}
	w.peer = &net.UnixAddr{Name: qemuPath, Net: "unixgram"}
	if w.machine, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: labPath, Net: "unixgram"}); err != nil {
		return err
	}
	w.args = []string{"-netdev", fmt.Sprintf("dgram,id=%s,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s", name, qemuPath, labPath)}
	return nil
}

// Args are QEMU's arguments for a machine with a card at this wire's end.
func (w *Wire) Args(name, model, mac string) []string {
	return append(w.args, "-device", fmt.Sprintf("%s,netdev=%s,mac=%s,romfile=", model, name, mac))
}

// Largest is the length of the longest frame that came from the machine, in bytes with its headers.
func (w *Wire) Largest() int { return int(w.largest.Load()) }

// Close ends the wire. Closing twice is harmless.
func (w *Wire) Close() error {
	var errs []error
	if w.tap != nil {
		errs = append(errs, w.tap.Close())
	}
	if w.machine != nil {
		errs = append(errs, w.machine.Close())
	}
	for i, err := range errs {
		if errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) {
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}

// maxFrame is longer than any frame of Ethernet.
const maxFrame = 1 << 16

// The tag (IEEE 802.1Q): behind the two MACs, type 0x8100 and 16 bits whose lower 12 are the VLAN's
// number.
const (
	macsLen  = 12
	tagLen   = 4
	tpid     = 0x8100
	vlanMask = 0x0fff
)

func (w *Wire) fromMachine() {
	buf := make([]byte, maxFrame)
	for {
		n, err := w.machine.Read(buf)
		if err != nil {
			return
		}
		if frame, ok := untag(buf[:n], w.vlan); ok {
			w.largest.Store(max(w.largest.Load(), int64(n)))
			_, _ = w.tap.Write(frame)
		}
	}
}

func (w *Wire) toMachine() {
	buf := make([]byte, maxFrame)
	for {
		n, err := w.tap.Read(buf)
		if err != nil {
			return
		}
		// Before the machine has started, and after its end, this fails.
		_, _ = w.machine.WriteToUnix(tag(buf[:n], w.vlan), w.peer)
	}
}

// tag makes a frame one of a VLAN.
func tag(frame []byte, vlan uint16) []byte {
	if vlan == 0 || len(frame) < macsLen {
		return frame
	}
	out := append(make([]byte, 0, len(frame)+tagLen), frame[:macsLen]...)
	out = binary.BigEndian.AppendUint16(out, tpid)
	out = binary.BigEndian.AppendUint16(out, vlan)
	return append(out, frame[macsLen:]...)
}

// untag removes the tag of a frame of a VLAN; ok reports whether it is one.
func untag(frame []byte, vlan uint16) (out []byte, ok bool) {
	tagged := len(frame) >= macsLen+tagLen && binary.BigEndian.Uint16(frame[macsLen:]) == tpid
	switch {
	case vlan == 0:
		return frame, !tagged
	case !tagged || binary.BigEndian.Uint16(frame[macsLen+2:])&vlanMask != vlan:
		return nil, false
	}
	return append(append([]byte(nil), frame[:macsLen]...), frame[macsLen+tagLen:]...), true
}
