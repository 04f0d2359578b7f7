package boot

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// libcSignals are those that the Go runtime leaves as they are, for the sake of a C library beside
// it (runtime/sigtab_linux_generic.go: signals 32 and 34).
var libcSignals = [...]unix.Signal{32, 34}

// The handlers of a signal (include/uapi/asm-generic/signal-defs.h).
const (
	sigDefault = 0 // SIG_DFL
	sigIgnore  = 1 // SIG_IGN
)

// sigaction is the kernel's struct of amd64 and arm64.
type sigaction struct {
	handler  uintptr // __sighandler_t sa_handler
	flags    uint64  // unsigned long sa_flags
	restorer uintptr // __sigrestore_t sa_restorer
	mask     uint64  // sigset_t sa_mask
}

// ignoreLibcSignals ignores libcSignals, or undoes that before another program is executed. Not
// ignored they can end process 1, which the kernel protects from them only as long as its first
// thread does not block them, as it does for a moment whenever it starts a thread or a process: the
// signal then goes to another thread, and counts as fatal (kernel/signal.c: sig_ignored,
// complete_signal).
func ignoreLibcSignals(on bool) error {
	action := sigaction{handler: sigDefault}
	if on {
		action.handler = sigIgnore
	}
	for _, s := range libcSignals {
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
		if errno != 0 {
			return fmt.Errorf("ignore signal %d: %w", int(s), errno)
		}
	}
	return nil
}
