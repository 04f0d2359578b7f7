// Package boot is the boot as a list of steps, the runner that starts each one
// as soon as what it needs is there, and what happens when one fails.
//
// The list is in steps.go and is the whole story: nothing that matters runs
// outside of it, and its last line is the switch to the real root. [Main] is
// what PID 1 runs.
package boot
