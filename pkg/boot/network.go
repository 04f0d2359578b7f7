package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// networkState is what the step network keeps, and what the hand-over makes of it.
type networkState struct {
	network    *network.Network // from the step's first try
	facts      bootspec.NetFacts
	up         sequence.Flag // the steps that load drivers wait for it
	resolvConf bool          // the image had no /etc/resolv.conf, and has ours
	nics       []string      // that sessions go by, from the hand-over on; none: all
}

// bringUpNetwork waits until this machine can go on by an address. Work on the
// network goes on beside the other steps, and from one try to the next.
func (m *Machine) bringUpNetwork(ctx context.Context) error {
	if m.net.network == nil {
		if err := m.loadNetwork(ctx); err != nil {
			return err
		}
		n, err := m.startNetwork()
		if err != nil {
			return err
		}
		m.net.network = n
	}
	leases, err := m.net.network.Wait(ctx)
	if err != nil {
		if waited := new(network.WaitError); !errors.As(err, &waited) {
			m.endNetwork()
		}
		return m.untilDrivers(explainNoNIC(err))
	}
	facts := bootspec.LeaseFacts(leases...)
	facts.MAC = readWord("/sys/class/net/"+facts.Interface, "address")
	m.nameMachine(leases)
	spec, warnings, err := m.Plan.Resolve(facts)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		m.Log.Warnf("%s", w)
	}
	m.net.facts, m.spec = facts, spec
	m.net.up.Set()
	return nil
}

// shownFor is for how long each change to what is awaited is on the screen;
// later the step's own line, once a minute, is enough.
const shownFor = 30 * time.Second

func (m *Machine) startNetwork() (*network.Network, error) {
	begun := time.Now()
	files, errs := linkfile.Read(os.DirFS("/"))
	for _, err := range errs {
		m.Log.Warnf("network: names of interfaces: %v", err)
	}
	return network.Start(network.Config{
		Net:          m.Plan.Net,
		LinkFiles:    files,
		Named:        m.Plan.Scopes(),
		WantRootPath: m.Plan.WantsRootPath(),
		NeedRootPath: m.Plan.NeedsRootPath(),
		Targets:      portals(m.Plan.Targets),
		Complete:     m.Plan.Initiator.Given(),
		SysClassNet:  "/sys/class/net",
		Report: func(s network.State) {
			if s.Waits != "" && time.Since(begun) < shownFor {
				m.Log.Infof("network: %v", s)
			} else {
				m.Log.Debugf("network: %v", s)
			}
		},
		Up:      m.sayLease,
		Loading: m.modules.loads.names,
		Warn: func(text string) {
			m.Log.Warnf("network: %s", text)
		},
	})
}

// sayLease tells of an address that is there.
func (m *Machine) sayLease(l dhcp.Lease) {
	text := fmt.Sprintf("network: %s is up with %s", l.Interface, l.Address)
	if l.Server.IsValid() {
		text += fmt.Sprintf(" from %s", l.Server)
	}
	m.Log.Infof("%s", text)
	if dhcp.IsHardwareID(l.ClientID) && !slices.ContainsFunc(m.Plan.Net.Lines(), func(v bootspec.Value[bootspec.IP]) bool { return v.V.ClientID != "" }) {
		m.Log.Infof("network: %s: the DHCP server answers only to the client identifier of iscsi_dhcp_id=mac: set iscsi_dhcp_id=mac to avoid two unanswered requests", l.Interface)
	}
	for _, what := range l.Ignored {
		m.Log.Warnf("network: %s: ignored: %s", l.Interface, what)
	}
	m.Log.Debugf("network: %s", l)
}

// endNetwork takes back what was made of the network.
func (m *Machine) endNetwork() {
	m.net.network.Undo()
	m.net.network, m.net.facts = nil, bootspec.NetFacts{}
	m.net.up.Reset()
}

// networkPatience is for how long an interface that is not there is waited for:
// from the step's begin, and from the last try beside a load of a driver.
// networkTry is for how long one try waits.
const (
	networkPatience = 30 * time.Second
	networkTry      = 10 * time.Second
)

// untilDrivers lets the step go on as long as an interface can still come from a
// driver: one that was loading during this try, or the pause before it.
func (m *Machine) untilDrivers(err error) error {
	var waited *network.WaitError
	if errors.As(err, &waited) && len(waited.State.Links) == 0 && m.modules.loads.idle() < networkTry+sequence.MaxPause*3/2 {
		return sequence.Temporary(err)
	}
	return err
}

// nameMachine gives this machine its name, and the resolver of other programs its
// servers and domains. It boots as well without both.
func (m *Machine) nameMachine(leases []dhcp.Lease) {
	name := m.Plan.Net.HostName.V
	for _, l := range leases {
		name = cmp.Or(name, l.HostName)
	}
	if name != "" {
		if err := unix.Sethostname([]byte(name)); err != nil {
			m.Log.Debugf("host name %s: %v", name, err)
		}
	}
	var servers []netip.Addr
	if m.Plan.Net.PeerDNS.Or(true) {
		servers = bootspec.LeaseFacts(leases...).Nameservers
	}
	conf := resolverConf(searchDomains(leases), servers)
	_, err := os.Stat("/etc/resolv.conf")
	if !m.net.resolvConf && (err == nil || conf == "") {
		return // the image has its own, or there is nothing to write
	}
	m.net.resolvConf = true // written again where a NIC is dropped, also if nothing is left
	if err := os.WriteFile("/etc/resolv.conf", []byte(conf), 0o644); err != nil {
		m.Log.Debugf("%v", err)
	}
}

// searchDomains lists the domains of leases in which names are looked up, each once.
func searchDomains(leases []dhcp.Lease) []string {
	var out []string
	for _, l := range leases {
		domains := l.Search
		if l.Domain != "" && !slices.Contains(domains, l.Domain) {
			domains = slices.Concat([]string{l.Domain}, domains)
		}
		for _, d := range domains {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// resolverConf is a resolver's configuration (resolv.conf(5)).
func resolverConf(search []string, servers []netip.Addr) string {
	conf := ""
	if len(search) > 0 {
		conf = "search " + strings.Join(search, " ") + "\n"
	}
	for _, s := range servers {
		conf += "nameserver " + s.String() + "\n"
	}
	return conf
}

// leases returns a lease for each address that this machine has by now, that of
// the boot first.
func (m *Machine) leases() []dhcp.Lease { return m.net.network.Leases() }

// explainNoNIC adds which pieces of network hardware have no driver.
func explainNoNIC(err error) error {
	var waited *network.WaitError
	if !errors.As(err, &waited) || len(waited.State.Links) > 0 || len(waited.State.Loading) > 0 {
		return err
	}
	if cards := unclaimed("/sys/bus/pci/devices"); len(cards) > 0 {
		return sequence.WithHint(err, "the image has no driver for "+strings.Join(cards, ", "))
	}
	return err
}

// unclaimed lists PCI network controllers without a driver, as
// "0000:00:03.0 (pci 8086:100e)".
func unclaimed(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		dev := filepath.Join(dir, e.Name())
		// PCI base class 0x02 is a network controller
		// (include/linux/pci_ids.h: PCI_BASE_CLASS_NETWORK).
		if !strings.HasPrefix(readWord(dev, "class"), "0x02") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dev, "driver")); err == nil {
			continue
		}
		id := strings.TrimPrefix(readWord(dev, "vendor"), "0x") + ":" + strings.TrimPrefix(readWord(dev, "device"), "0x")
		out = append(out, e.Name()+" (pci "+id+")")
	}
	return out
}

func readWord(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
