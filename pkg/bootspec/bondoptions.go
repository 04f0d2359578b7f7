package bootspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// BondOption is an option of a bond: the name of its file in sysfs
// (drivers/net/bonding/bond_sysfs.c) and the value to write.
type BondOption struct{ Name, Value string }

// bondModes are the modes by their numbers (include/uapi/linux/if_bonding.h).
var bondModes = []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}

// bondOptions are the names of a bond's options in sysfs, without the options of single members.
var bondOptions = []string{
	"mode", "miimon", "updelay", "downdelay", "use_carrier", "arp_interval", "arp_ip_target", "arp_validate", "arp_all_targets", "arp_missed_max",
	"primary", "primary_reselect", "active_slave", "fail_over_mac", "xmit_hash_policy", "resend_igmp", "num_grat_arp",
	"num_unsol_na", "all_slaves_active", "min_links", "lp_interval", "packets_per_slave", "lacp_active", "lacp_rate", "ad_select",
	"ad_actor_sys_prio", "ad_actor_system", "ad_user_port_key", "tlb_dynamic_lb", "peer_notif_delay",
}

// defaultMiimon is the interval in ms at which a bond checks the carrier of its members. Without it
// and without ARP monitoring the kernel uses every member, with carrier or without.
const defaultMiimon = "100"

// BondOptions returns the options of a bond in the order in which the kernel accepts them: first
// the mode, then the link monitoring, then the others, such as its delays. Several targets of
// arp_ip_target become one option each. Without an option for link monitoring the carrier is
// checked every 100 ms.
func (g Group) BondOptions() []BondOption {
	options, _ := parseBondOptions(g.Options) // it was read before
	return options
}

// parseBondOptions reads NAME=VALUE,NAME=VALUE. cause describes what is wrong.
func parseBondOptions(text string) (options []BondOption, cause string) {
	mode, watch := "balance-rr", []BondOption(nil)
	for word := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case word == "":
		case !ok || value == "":
			return nil, fmt.Sprintf("the option %s has no value", show(word))
		case !slices.Contains(bondOptions, name):
			return nil, fmt.Sprintf("%s is not a bond option", show(name))
		case name == "mode":
			if mode, ok = bondMode(value); !ok {
				return nil, fmt.Sprintf("%s is not a bond mode: use one of %s", show(value), strings.Join(bondModes, ", "))
			}
		case name == "arp_ip_target":
			for target := range strings.SplitSeq(value, ";") {
				options = append(options, BondOption{name, "+" + target})
			}
		case name == "miimon" || name == "arp_interval":
			watch = append(watch, BondOption{name, value})
		default:
			options = append(options, BondOption{name, value})
		}
	}
	if watch == nil {
		watch = []BondOption{{"miimon", defaultMiimon}}
	}
	return slices.Concat([]BondOption{{"mode", mode}}, watch, options), ""
}

// bondMode reads a mode's name or number.
func bondMode(s string) (string, bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && int(n) < len(bondModes) {
		return bondModes[n], true
	}
	return s, slices.Contains(bondModes, s)
}
