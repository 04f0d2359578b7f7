package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"github.com/gostor/gotgt/pkg/config"
	_ "github.com/gostor/gotgt/pkg/port/iscsit" // registers the driver "iscsi"
	"github.com/gostor/gotgt/pkg/scsi"
	_ "github.com/gostor/gotgt/pkg/scsi/backingstore" // registers the storage "file"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// sectorShift makes 512-byte blocks.
const sectorShift = 9

// gotgt is a target in a child process of its own: the library keeps its LUNs in package variables,
// exits the process when it cannot listen, and listens on every address of its namespace.
type gotgt struct {
	config  Config
	process *lab.Process
}

// StartGotgt starts a gotgt target and returns when its portal accepts connections. gotgt supports
// neither CHAP nor digests.
func StartGotgt(ctx context.Context, ns *lab.Namespace, c Config) (Target, error) {
	t, err := startGotgt(ctx, ns, c)
	if err != nil {
		return nil, fmt.Errorf("start gotgt %s: %w", c.Name, err)
	}
	return t, nil
}

func startGotgt(ctx context.Context, ns *lab.Namespace, c Config) (*gotgt, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	known := Config{Name: c.Name, Portal: c.Portal, Portals: c.Portals, LUNs: c.LUNs}
	if !reflect.DeepEqual(c, known) {
		return nil, errors.New("gotgt can do nothing but portals and LUNs; use tgtd")
	}
	if slices.ContainsFunc(c.Portals, func(p netip.AddrPort) bool { return p.Port() != c.Portal.Port() }) {
		return nil, errors.New("gotgt listens at one port: use it for all portals")
	}
	text, err := json.Marshal(gotgtConfig(c))
	if err != nil {
		return nil, err
	}
	cmd, err := childCommand(gotgtChild, strconv.Itoa(int(c.Portal.Port())), string(text))
	if err != nil {
		return nil, err
	}
	p, err := ns.StartLogged(cmd)
	if err != nil {
		return nil, err
	}
	if err := ns.WaitAccept(ctx, p, c.Portal); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return &gotgt{config: c, process: p}, nil
}

func gotgtConfig(c Config) config.Config {
	var out config.Config
	group := make([]uint64, 0, len(c.portals()))
	for i, portal := range c.portals() {
		out.ISCSIPortals = append(out.ISCSIPortals, config.ISCSIPortalInfo{ID: uint16(i), Portal: portal.String()})
		group = append(group, uint64(i))
	}
	luns := make(map[string]uint64, len(c.LUNs))
	for lun, path := range c.LUNs {
		id := uint64(lun) + 1
		luns[strconv.Itoa(lun)] = id
		out.Storages = append(out.Storages, config.BackendStorage{
			DeviceID: id, Path: "file:" + path, Online: true, BlockShift: sectorShift,
		})
	}
	out.ISCSITargets = map[string]config.ISCSITarget{c.Name: {TPGTs: map[string][]uint64{"1": group}, LUNs: luns}}
	return out
}

// runGotgt is the child: args are the port and the configuration as JSON.
func runGotgt(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%d arguments instead of 2", len(args))
	}
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("port: %w", err)
	}
	var c config.Config
	if err := json.Unmarshal([]byte(args[1]), &c); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := scsi.InitSCSILUMap(&c); err != nil {
		return fmt.Errorf("open storage: %w", err)
	}
	driver, err := scsi.NewTargetDriver("iscsi", scsi.NewSCSITargetService())
	if err != nil {
		return err
	}
	for name := range c.ISCSITargets {
		if err := driver.NewTarget(name, &c); err != nil {
			return fmt.Errorf("target %s: %w", name, err)
		}
	}
	return driver.Run(port)
}

func (t *gotgt) Name() string         { return t.config.Name }
func (t *gotgt) Addr() netip.AddrPort { return t.config.Portal }
func (t *gotgt) Log() string          { return t.process.Log() }

func (t *gotgt) Stop() error {
	if err := t.process.Kill(); err != nil {
		return fmt.Errorf("stop gotgt %s: %w", t.config.Name, err)
	}
	return nil
}
