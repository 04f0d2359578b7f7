// Package netup is the stage of the boot that brings the network up, by a lease or an address of
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

// Config is the input of the stage.
type Config struct {
	Log sequence.Logger
	// Plan is the plan of the boot. It changes only while no step runs, by a retry at the
	// shell.
	Plan *bootspec.Plan
	// Up is set while the network is up.
	Up *sequence.Flag
	// Drivers loads the network's drivers: *drivers.Drivers.
	Drivers Drivers
}

// Drivers loads the drivers of NICs, and of bonds, bridges and VLANs.
type Drivers interface {
	LoadNetwork(ctx context.Context) error
	// Loading names the drivers that are being loaded.
	Loading() []string
	// Idle is how long ago the last load of one ended; 0 while there is any.
	Idle() time.Duration
}

// Stage brings the network up. Its work goes on during other steps, and from one attempt to the
// next.
type Stage struct {
	Config
	network    *network.Network // from the first attempt on
	resolvConf bool             // the image had no /etc/resolv.conf: Name writes it
}

// New returns a stage that has not begun.
func New(c Config) *Stage { return &Stage{Config: c} }

// BringUp is the step "network": it waits until this machine has an address with which the boot can
// go on.
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
		return Result{}, s.untilDrivers(explainNoNIC(err, "/sys/bus"))
	}
	facts := bootspec.LeaseFacts(leases...)
	facts.ReadMACs(MAC)
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

// shownFor is for how long each change of what the step waits for is logged; later the step's own
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
		Named:        s.Plan.PathNICs(),
		WantRootPath: s.Plan.UsesRootPath(),
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

// logLease logs a new address.
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

// End removes the addresses, routes and links that the stage made.
func (s *Stage) End() {
	s.network.Undo()
	s.network = nil
	s.Up.Reset()
}

// Grace is for how long an interface that does not exist is waited for: from the beginning of the
// step, and from the last attempt during which a driver was being loaded. AttemptTimeout is for how
// long one attempt waits.
const (
	Grace          = 30 * time.Second
	AttemptTimeout = 10 * time.Second
)

// untilDrivers makes an error retryable as long as a driver can still add an interface: one that
// was being loaded during this attempt, or the pause before it.
func (s *Stage) untilDrivers(err error) error {
	var waited *network.WaitError
	if errors.As(err, &waited) && len(waited.State.Links) == 0 && s.Drivers.Idle() < AttemptTimeout+sequence.MaxPause*3/2 {
		return sequence.AsRetryable(err)
	}
	return err
}
