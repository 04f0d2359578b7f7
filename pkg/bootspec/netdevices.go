package bootspec

import (
	"net/netip"
	"slices"
)

// Modules returns the kernel modules that the plan's devices need in addition to the NICs' drivers:
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

// creates reports whether the plan creates a device of that name.
func (n Net) creates(name string) bool {
	return slices.ContainsFunc(n.VLANs, func(v Value[VLAN]) bool { return v.V.Name == name }) ||
		slices.ContainsFunc(n.Groups, func(v Value[Group]) bool { return v.V.Name == name })
}

// hasUpper reports whether the device of that name or MAC has an upper device in the plan.
func (n Net) hasUpper(name string) bool { return len(n.uppers(name)) > 0 }

// uppers returns the names of the plan's devices that are directly above a device.
func (n Net) uppers(name string) []string {
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

// MTU returns the MTU that a device needs, in bytes: the largest of its own and of its upper
// devices'; 0: the driver's. names are its name and its MAC. hardware means that it is a NIC, to
// which lines of ip= without a name apply.
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
		for _, above := range n.uppers(name) {
			most = max(most, n.mtu(above, false, depth+1))
		}
	}
	return most
}

// NewMAC returns the MAC to set on a device, "" for its own. The arguments are those of MTU.
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

// boots reports whether the boot uses the device of that name or MAC.
func (n Net) boots(name string, hardware bool) bool {
	switch {
	case n.Interface.Given():
		return name == n.Interface.V
	case n.MAC.Given():
		return name == n.MAC.V
	}
	return hardware
}

// maxDepth is the limit of stacked devices; more is a loop.
const maxDepth = 8

// topDevice returns the device with lower devices and without an upper one, if there is exactly
// one: it is the boot's device if no parameter names a NIC.
func (n Net) topDevice() (Value[string], bool) {
	var tops []Value[string]
	for _, v := range n.VLANs {
		tops = append(tops, Value[string]{v.V.Name, v.From})
	}
	for _, v := range n.Groups {
		tops = append(tops, Value[string]{v.V.Name, v.From})
	}
	tops = slices.DeleteFunc(tops, func(v Value[string]) bool { return n.hasUpper(v.V) })
	if len(tops) != 1 {
		return Value[string]{}, false
	}
	return tops[0], true
}

// Named returns every name of a NIC in the plan: a NIC with several possible names gets one of
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
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" || n.creates(s) })
	slices.Sort(out)
	return slices.Compact(out)
}

// checkDevices returns an error for each device that cannot be created.
func (n Net) checkDevices() []error {
	var errs []error
	refuse := func(from, cause string) { errs = append(errs, &DeviceError{from, cause}) }
	made, member := map[string]bool{}, map[string]bool{}
	device := func(name, from string) {
		if made[name] {
			refuse(from, "there is another device "+name)
		}
		if made[name] = true; n.circle(name, 0) {
			refuse(from, "the device "+name+" would be its own upper device")
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

// circle reports whether the upper devices of a device form a loop.
func (n Net) circle(name string, depth int) bool {
	return depth > maxDepth || slices.ContainsFunc(n.uppers(name), func(above string) bool { return n.circle(above, depth+1) })
}

// DeviceError reports that a VLAN, bond or bridge cannot be created.
type DeviceError struct{ From, Cause string }

// Error implements error.
func (e *DeviceError) Error() string {
	return e.From + ": " + e.Cause + ": give each device one name, and each NIC one bond or bridge"
}

// routed reports whether an address is reached by rd.route= or is a peer's.
func (n Net) routed(a netip.Addr) bool {
	return slices.ContainsFunc(n.Routes, func(v Value[NetRoute]) bool { return v.V.To.Contains(a) }) ||
		slices.ContainsFunc(n.IP, func(v Value[IP]) bool { return v.V.Peer.IsValid() && v.V.Peer.Contains(a) })
}

// LowerNICs returns the names or MACs of the NICs below a device of the plan; nil for a device that
// the plan does not create.
func (n Net) LowerNICs(name string) []string { return n.lowerNICs(name, 0) }

func (n Net) lowerNICs(name string, depth int) []string {
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
		case !n.creates(d):
			out = append(out, d)
		case depth < maxDepth:
			out = append(out, n.lowerNICs(d, depth+1)...)
		}
	}
	return out
}

// PathNICs returns the names of NICs by which targets are reached: those of paths, and the zones in
// the addresses of portals: fe80::1%eth0.
func (p Plan) PathNICs() []string {
	var out []string
	p.eachPathNIC(func(nic *NIC, _ string) {
		if nic.Name != "" && !p.Net.creates(nic.Name) {
			out = appendNew(out, nic.Name)
		}
	})
	for _, t := range p.Targets {
		for _, v := range t.Portals {
			if addr, ok := v.V.Addr(); ok && addr.Zone() != "" {
				out = appendNew(out, addr.Zone())
			}
		}
	}
	return out
}
