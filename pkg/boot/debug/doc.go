// Package debug is PID 1's side of the debug shell: when it opens, what its commands are answered,
// and how the boot goes on after it. The shell itself is a process of its own (pkg/shell), which
// runs the commands in verbs.go and asks PID 1 by a socket.
//
//   - shell.go: what is needed of the machine; the shell at a break and at a failure
//   - breakpoints.go: the steps before which rd.break= stops
//   - offer.go: Enter opens the shell while a step keeps failing
//   - open.go, consoles.go: the process, and the terminal that it gets
//   - conversation.go, retry.go: the answers to its requests
//   - advice.go: the commands that may help where a step failed
package debug
