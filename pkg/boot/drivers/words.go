package drivers

import "github.com/iscsiroot/iscsiroot/pkg/bootspec"

// withoutBonds keeps the module bonding from making a bond0 of its own
// (drivers/net/bonding/bond_main.c: max_bonds), unless a parameter has the number: the last value
// is used.
func withoutBonds(given bootspec.Modules) bootspec.Modules {
	return given.WithDefault("bonding", "max_bonds=0")
}
