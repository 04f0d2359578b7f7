// Package netup is the stage of the boot that brings the network up: by a lease or an address of
// the parameters, on the NICs that pkg/network finds.
package netup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// Config is what the stage gets.
type Config struct {
	Log sequence.Logger
	// Plan is what the machine was asked for. It changes only while no step runs: with a retry
	// at the shell.
	Plan *bootspec.Plan
	// Up is set while the network is up.
	Up *sequence.Flag
	// Drivers load what the network needs: *drivers.Drivers.
	Drivers Drivers
}

// Drivers are those of the NICs, and of what is made of NICs.
type Drivers interface {
	LoadNetwork(ctx context.Context) error
	// Loading names the drivers that are being loaded.
	Loading() []string
	// Idle is how long ago the last load of one ended; 0 while there is any.
	Idle() time.Duration
}

// Stage brings the network up. Work on it goes on beside the other steps, and from one try to the
// next.
type Stage struct {
	Config
	network    *network.Network // from the first try on
	resolvConf bool             // the image had no /etc/resolv.conf, and has ours
}

// New returns a stage that has begun nothing.
func New(c Config) *Stage { return &Stage{Config: c} }

// BringUp is the step "network": it waits until this machine can go on by an address.
func (s *Stage) BringUp(ctx context.Context) (Result, error) {
	if s.network == nil {
		if err := s.Drivers.LoadNetwork(ctx); err != nil {
			return Result{}, err
		}
		n, err := s.start()
		if err != nil {
			return Result{}, err
		}
		s.network = n
	}
	leases, err := s.network.Wait(ctx)
	if err != nil {
		if waited := new(network.WaitError); !errors.As(err, &waited) {
			s.End()
		}
		return Result{}, s.untilDrivers(explainNoNIC(err))
	}
	facts := bootspec.LeaseFacts(leases...)
	facts.MAC = Attribute(facts.Interface, "address")
	s.Name(leases)
	spec, warnings, err := s.Plan.Resolve(facts)
	if err != nil {
		return Result{}, err
	}
	for _, w := range warnings {
		s.Log.Warnf("%s", w)
	}
	s.Up.Set()
	return Result{Network: s.network, Facts: facts, Spec: spec}, nil
}

// shownFor is for how long each change to what is awaited is on the screen; later the step's own
// line, once a minute, is enough.
const shownFor = 30 * time.Second

func (s *Stage) start() (*network.Network, error) {
	begun := time.Now()
	files, errs := linkfile.Read(os.DirFS("/"))
	for _, err := range errs {
		s.Log.Warnf("network: names of interfaces: %v", err)
	}
	return network.Start(network.Config{
		Net:          s.Plan.Net,
		LinkFiles:    files,
		Named:        s.Plan.Scopes(),
		WantRootPath: s.Plan.WantsRootPath(),
		NeedRootPath: s.Plan.NeedsRootPath(),
		Targets:      portals(s.Plan.Targets),
		Complete:     s.Plan.Initiator.Given(),
		SysClassNet:  "/sys/class/net",
		SinceBoot:    clock.SinceBoot,
		Report: func(now network.State) {
			if now.Waiting != "" && time.Since(begun) < shownFor {
				s.Log.Infof("network: %v", now)
			} else {
				s.Log.Debugf("network: %v", now)
			}
		},
		Up:      s.logLease,
		Loading: s.Drivers.Loading,
		Warn: func(text string) {
			s.Log.Warnf("network: %s", text)
		},
	})
}

// logLease logs an address that is there.
func (s *Stage) logLease(l dhcp.Lease) {
	text := fmt.Sprintf("network: %s is up with %s", l.Interface, l.Address)
	if l.Server.IsValid() {
		text += fmt.Sprintf(" from %s", l.Server)
	}
	s.Log.Infof("%s", text)
	if dhcp.IsHardwareID(l.ClientID) && !slices.ContainsFunc(s.Plan.Net.Lines(), func(v bootspec.Value[bootspec.IP]) bool { return v.V.ClientID != "" }) {
		s.Log.Infof("network: %s: the DHCP server answers only to the client identifier of iscsi_dhcp_id=mac: set iscsi_dhcp_id=mac to avoid two unanswered requests", l.Interface)
	}
	for _, what := range l.Ignored {
		s.Log.Warnf("network: %s: ignored: %s", l.Interface, what)
	}
	s.Log.Debugf("network: %s", l)
}

// End takes back what was made of the network.
func (s *Stage) End() {
	s.network.Undo()
	s.network = nil
	s.Up.Reset()
}

// Patience is for how long an interface that is not there is waited for: from the step's begin, and
// from the last try beside a load of a driver. Try is for how long one try waits.
const (
	Patience = 30 * time.Second
	Try      = 10 * time.Second
)

// untilDrivers lets the step go on as long as an interface can still come from a driver: one that
// was loading during this try, or the pause before it.
func (s *Stage) untilDrivers(err error) error {
	var waited *network.WaitError
	if errors.As(err, &waited) && len(waited.State.Links) == 0 && s.Drivers.Idle() < Try+sequence.MaxPause*3/2 {
		return sequence.AsRetryable(err)
	}
	return err
}
