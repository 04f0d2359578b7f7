// Package debug is PID 1's side of the debug shell: when it opens, the answers to its commands, and
// how the boot goes on after it. The shell itself is a process of its own (pkg/shell), which runs
// the commands in verbs.go and sends requests to PID 1 through a socket.
//
//   - shell.go: what the shell needs of the machine; the shell at a break and at a failure
//   - breakpoints.go: the steps before which rd.break= stops
//   - offer.go: Enter opens the shell while a step keeps failing
//   - open.go, consoles.go: the process, and its terminal
//   - conversation.go, retry.go: the answers to its requests
//   - advice.go: the commands that may help where a step failed
package debug
