package drivers

import "github.com/iscsiroot/iscsiroot/pkg/cmdline"

// words are what the command line, the image's files and the shell say,
// in the order in which later ones win: that of all other parameters.
func (d *Drivers) words() cmdline.Line { return withoutBonds(*d.Params) }

// withoutBonds keeps the module bonding from making a bond0 of its own
// (drivers/net/bonding/bond_main.c: max_bonds), unless the line has the number: the
// last one is used.
func withoutBonds(line cmdline.Line) cmdline.Line {
	none := cmdline.Param{Key: "bonding.max_bonds", Value: "0", HasValue: true}
	line.Params = append([]cmdline.Param{none}, line.Params...)
	return line
}
