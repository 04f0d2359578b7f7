package boot

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// loadNetwork loads what the devices need that the plan makes of the NICs.
func (m *Machine) loadNetwork(ctx context.Context) error {
	for _, name := range m.Plan.Net.Modules() {
		if err := m.load(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// withoutBonds keeps the module bonding from making a bond0 that nobody asked
// for (drivers/net/bonding/bond_main.c: max_bonds), unless the line says how
// many it is to make: who comes later counts.
func withoutBonds(line cmdline.Line) cmdline.Line {
	none := cmdline.Param{Key: "bonding.max_bonds", Value: "0", HasValue: true}
	line.Params = append([]cmdline.Param{none}, line.Params...)
	return line
}
