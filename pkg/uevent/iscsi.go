package uevent

import "golang.org/x/sys/unix"

// iscsiDevices begins the paths of what iscsi_tcp's sessions have: their hosts have no parent
// (drivers/scsi/iscsi_tcp.c: iscsi_host_add; drivers/scsi/hosts.c: scsi_add_host_with_dma,
// platform_bus).
const iscsiDevices = "/devices/platform/host"

// dmDevices begins the paths of the devices of device-mapper.
const dmDevices = "/devices/virtual/block/dm-"

// iscsiFilter lets the kernel drop all events but "add@", "remove@" and "change@" of what is below
// iscsiDevices.
func iscsiFilter() []unix.SockFilter {
	return prefixFilter("add@"+iscsiDevices, "remove@"+iscsiDevices, "change@"+iscsiDevices)
}

// pathFilter lets changes of the devices of device-mapper pass too, as that a path has failed
// (drivers/md/dm-uevent.c).
func pathFilter() []unix.SockFilter {
	return prefixFilter("add@"+iscsiDevices, "remove@"+iscsiDevices, "change@"+iscsiDevices, "change@"+dmDevices)
}

// prefixFilter lets the kernel drop the events that begin with none of some texts.
func prefixFilter(texts ...string) []unix.SockFilter {
	const load, loadHalf = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
	const equal, end = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	var out []unix.SockFilter
	for _, text := range texts {
		var test []unix.SockFilter
		at := 0
		for ; at+4 <= len(text); at += 4 {
			test = append(test, unix.SockFilter{Code: load, K: uint32(at)}, unix.SockFilter{Code: equal, K: word(text[at : at+4])})
		}
		if rest := text[at:]; len(rest) >= 2 { // one odd byte at the end is not looked at
			test = append(test, unix.SockFilter{Code: loadHalf, K: uint32(at)}, unix.SockFilter{Code: equal, K: uint32(rest[0])<<8 | uint32(rest[1])})
		}
		test = append(test, unix.SockFilter{Code: end, K: maxEvent})
		for i := range test { // a part that differs leads to what follows this text
			if test[i].Code == equal {
				test[i].Jf = uint8(len(test) - i - 1)
			}
		}
		out = append(out, test...)
	}
	return append(out, unix.SockFilter{Code: end, K: 0})
}
