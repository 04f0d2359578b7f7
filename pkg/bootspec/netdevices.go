package bootspec

import (
	"net/netip"
	"slices"
)

// Modules returns the kernel's modules that the plan's devices need beside the NICs' drivers:
// 8021q, bonding, bridge.
func (n Net) Modules() []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if len(n.VLANs) > 0 {
		add("8021q")
	}
	for _, g := range n.Groups {
		add(map[string]string{"bond": "bonding", "bridge": "bridge"}[g.V.Kind])
	}
	return out
}

// Made tells whether the plan makes a device of that name.
func (n Net) Made(name string) bool {
	return slices.ContainsFunc(n.VLANs, func(v Value[VLAN]) bool { return v.V.Name == name }) ||
		slices.ContainsFunc(n.Groups, func(v Value[Group]) bool { return v.V.Name == name })
}

// Below tells whether a device of the plan is on the device of that name or MAC, or is made of it.
func (n Net) Below(name string) bool { return len(n.on(name)) > 0 }

// on returns the names of the plan's devices that are directly on another.
func (n Net) on(name string) []string {
	var out []string
	for _, v := range n.VLANs {
		if v.V.Parent == name {
			out = append(out, v.V.Name)
		}
	}
	for _, v := range n.Groups {
		if slices.Contains(v.V.Members, name) {
			out = append(out, v.V.Name)
		}
	}
	return out
}

// MTU returns what a device must carry, in bytes: what is said of it or of a device that is on it;
// 0: the driver's. names are its name and its MAC. hardware tells that it is a NIC, which lines of
// ip= can mean that name none.
func (n Net) MTU(hardware bool, names ...string) int {
	most := 0
	for _, name := range names {
		most = max(most, n.mtu(name, hardware, 0))
	}
	return most
}

func (n Net) mtu(name string, hardware bool, depth int) int {
	most := 0
	for _, ip := range n.lines(hardware, name) {
		most = max(most, ip.MTU)
	}
	if n.boots(name, hardware) {
		most = max(most, n.BootMTU.V)
	}
	for _, v := range n.Groups {
		if v.V.Name == name {
			most = max(most, v.V.MTU)
		}
	}
	if depth < maxDepth {
		for _, above := range n.on(name) {
			most = max(most, n.mtu(above, false, depth+1))
		}
	}
	return most
}

// NewMAC returns the MAC that a device is to have, "" for its own. The arguments are those of MTU.
func (n Net) NewMAC(hardware bool, names ...string) string {
	for _, ip := range n.lines(hardware, names...) {
		if ip.SetMAC != "" {
			return ip.SetMAC
		}
	}
	return ""
}

// lines returns the lines of ip= that are for a device.
func (n Net) lines(hardware bool, names ...string) []IP {
	var out []IP
	for _, v := range n.IP {
		unnamed := v.V.Device == "" && v.V.MAC == ""
		for _, name := range names {
			if name != "" && (v.V.MAC == name || v.V.MAC == "" && v.V.Device == name) || unnamed && n.boots(name, hardware) {
				out = append(out, v.V)
				break
			}
		}
	}
	return out
}

// boots tells whether the boot is by the device of that name or MAC.
func (n Net) boots(name string, hardware bool) bool {
	switch {
	case n.Interface.Given():
		return name == n.Interface.V
	case n.MAC.Given():
		return name == n.MAC.V
	}
	return hardware
}

// maxDepth bounds how devices can be on each other; more is a circle.
const maxDepth = 8

// top returns the device that is on others and that no other is on, if there is one alone: it is
// what the boot goes by if no parameter names a NIC.
func (n Net) top() (Value[string], bool) {
	var tops []Value[string]
	for _, v := range n.VLANs {
		tops = append(tops, Value[string]{v.V.Name, v.From})
	}
	for _, v := range n.Groups {
		tops = append(tops, Value[string]{v.V.Name, v.From})
	}
	tops = slices.DeleteFunc(tops, func(v Value[string]) bool { return n.Below(v.V) })
	if len(tops) != 1 {
		return Value[string]{}, false
	}
	return tops[0], true
}

// Named returns every name of a NIC that the plan has: a NIC can have several and gets one of
// these.
func (n Net) Named() []string {
	out := []string{n.Interface.V, n.BootDevice.V}
	for _, v := range n.IP {
		out = append(out, v.V.Device)
	}
	for _, v := range n.VLANs {
		out = append(out, v.V.Parent)
	}
	for _, v := range n.Groups {
		out = append(out, v.V.Members...)
	}
	for _, v := range n.Routes {
		out = append(out, v.V.Device)
	}
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" || n.Made(s) })
	slices.Sort(out)
	return slices.Compact(out)
}

// checkDevices says what cannot be of the devices that the plan makes.
func (n Net) checkDevices() []error {
	var errs []error
	refuse := func(from, cause string) { errs = append(errs, &DeviceError{from, cause}) }
	made, member := map[string]bool{}, map[string]bool{}
	device := func(name, from string) {
		if made[name] {
			refuse(from, "there is another device "+name)
		}
		if made[name] = true; n.circle(name, 0) {
			refuse(from, "the device "+name+" would be on itself")
		}
	}
	for _, v := range n.VLANs {
		device(v.V.Name, v.From)
	}
	for _, v := range n.Groups {
		device(v.V.Name, v.From)
		for _, m := range v.V.Members {
			if member[m] {
				refuse(v.From, "the NIC "+m+" is part of another bond or bridge")
			}
			member[m] = true
		}
	}
	return errs
}

// circle tells whether devices are on each other in a circle.
func (n Net) circle(name string, depth int) bool {
	return depth > maxDepth || slices.ContainsFunc(n.on(name), func(above string) bool { return n.circle(above, depth+1) })
}

// DeviceError says that a VLAN, bond or bridge cannot be made.
type DeviceError struct{ From, Cause string }

// Error implements error.
func (e *DeviceError) Error() string {
	return e.From + ": " + e.Cause + ": give each device one name and one place"
}

// routed tells whether rd.route= or a peer is a way to an address.
func (n Net) routed(a netip.Addr) bool {
	return slices.ContainsFunc(n.Routes, func(v Value[NetRoute]) bool { return v.V.To.Contains(a) }) ||
		slices.ContainsFunc(n.IP, func(v Value[IP]) bool { return v.V.Peer.IsValid() && v.V.Peer.Contains(a) })
}

// Parts returns the names or MACs of the NICs that a device of the plan is made of; nil for one
// that is not made.
func (n Net) Parts(name string) []string { return n.parts(name, 0) }

func (n Net) parts(name string, depth int) []string {
	var direct, out []string
	for _, v := range n.VLANs {
		if v.V.Name == name {
			direct = append(direct, v.V.Parent)
		}
	}
	for _, v := range n.Groups {
		if v.V.Name == name {
			direct = append(direct, v.V.Members...)
		}
	}
	for _, d := range direct {
		switch {
		case !n.Made(d):
			out = append(out, d)
		case depth < maxDepth:
			out = append(out, n.parts(d, depth+1)...)
		}
	}
	return out
}

// Scopes returns the names of NICs in the addresses of portals: fe80::1%eth0.
func (p Plan) Scopes() []string {
	var out []string
	for _, t := range p.Targets {
		for _, v := range t.Portals {
			if addr, ok := v.V.Addr(); ok && addr.Zone() != "" {
				out = append(out, addr.Zone())
			}
		}
	}
	return out
}
