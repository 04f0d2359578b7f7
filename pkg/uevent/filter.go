package uevent

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// filter lets the kernel drop the events of what is no device: each module that is loaded adds
// kernel objects for itself, its drivers and its caches, some hundred in a boot, and each would
// wake us while the next module is loading. An event begins with "ACTION@PATH", and devices are
// below /devices (lib/kobject_uevent.c: kobject_uevent_env).
func filter() []unix.SockFilter {
	const load, equal, end = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	return []unix.SockFilter{
		{Code: load, K: 0},
		{Code: equal, K: word("add@"), Jt: 0, Jf: 2}, // other actions pass
		{Code: load, K: 4},
		{Code: equal, K: word("/dev"), Jt: 0, Jf: 1},
		{Code: end, K: maxEvent},
		{Code: end, K: 0},
	}
}

// word is how BPF loads four bytes of a packet.
func word(s string) uint32 { return binary.BigEndian.Uint32([]byte(s)) }

// attach sets a filter. A kernel without it sends us more.
func attach(fd int, f []unix.SockFilter) {
	_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]})
}
