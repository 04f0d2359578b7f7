package lab

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

var errNoReturn = errors.New("function did not return (runtime.Goexit)")

// onOwnThread runs f on an operating system thread that nothing else uses and that ends with f, so
// that f may change what belongs to the thread, its network namespace above all.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errNoReturn
		defer func() { result <- err }()
		runtime.LockOSThread() // without an unlock the runtime ends the thread with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The first thread cannot end, and /proc/self would show the namespace it
			// was left in. While it is held here the runtime has to take another one.
			err = onOwnThread(f)
			runtime.UnlockOSThread()
			return
		}
		err = f()
	}()
	return <-result
}
