package boot

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/handover"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/udevdb"
)

// handOver hands the sessions over to the agent, and writes files in /run by which the real system
// leaves the NICs of root alone.
func (m *Machine) handOver(ctx context.Context) error {
	m.sessions.EndLate(ctx)
	m.storage.DetachOthers(ctx, m.root)
	end := sequence.Blocking(ctx, "reading the files of "+m.root.Name)
	root, err := handover.Survey(os.DirFS(sysroot))
	end()
	if err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	volumes, arrays := m.storage.Made()
	maps := m.storage.MadeMaps()
	if err := errors.Join(udevdb.Clear("/run"), announceDM(volumes, maps, sysroot, "/run"), announceArrays(arrays, "/run")); err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	nics := m.sessions.LeaveNetwork(m.root, m.netup.Name)
	facts := handover.Facts{Root: root, Program: agent.Binary, ShutdownTimeout: m.Plan.Policy.ShutdownTimeout.V}
	facts.NamesStay = renameRefused(m.drivers.Release())
	facts.Leases = m.net.Leases()
	for _, l := range facts.Leases {
		mac, err := net.ParseMAC(netup.Attribute(l.Interface, "address"))
		switch {
		case err != nil:
		case carriesRoot(nics, l.Interface):
			facts.Links = handover.AddLease(facts.Links, mac, l)
		default:
			facts.Others = handover.AddLease(facts.Others, mac, l)
		}
	}
	for i := range facts.Links { // a virtual NIC has no device in sysfs
		_, err := os.Stat("/sys/class/net/" + facts.Links[i].Name + "/device")
		facts.Links[i].Made = errors.Is(err, os.ErrNotExist)
	}
	facts.Sessions = m.sessions.Facts(m.root)
	if err := handover.Write("/run", handover.Files(facts)); err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	if err := agent.Install(); err != nil {
		m.Log.Warnf("hand-over: %v: the agent tries again", err)
	}
	return m.sessions.HandOver(ctx, m.uplinks(nics))
}

// uplinks are the addresses of this machine that the agent keeps, as iscsi_keep_address= sets.
func (m *Machine) uplinks(nics []string) []uplink.Uplink {
	var out []uplink.Uplink
	for _, l := range m.net.Leases() {
		if !carriesRoot(nics, l.Interface) {
			continue
		}
		index, err := strconv.Atoi(netup.Attribute(l.Interface, "ifindex"))
		if err != nil {
			continue
		}
		keep := m.net.Spec.Policy.KeepAddress.Or(true)
		out = append(out, uplink.Uplink{Index: index, MAC: netup.Attribute(l.Interface, "address"), Keep: keep, Lease: l})
	}
	return out
}

// renameRefused reports whether a kernel refuses to rename a link that is up, which it does before
// 6.2 (net/core/dev.c: dev_change_name).
func renameRefused(release string) bool {
	part := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(part) < 2 {
		return false
	}
	major, err := strconv.Atoi(part[0])
	minor, merr := strconv.Atoi(part[1])
	return err == nil && merr == nil && (major < 6 || major == 6 && minor < 2)
}

// carriesRoot reports whether a NIC is kept for root after the switch. nics are those of the
// sessions; if it is empty, all are kept.
func carriesRoot(nics []string, nic string) bool {
	return len(nics) == 0 || slices.Contains(nics, nic)
}
