// Package bootspec parses the boot parameters into the plan of a boot.
//
// It works in two pure steps. [Parse] reads the command line and returns a [Plan]: the network to
// bring up, and what is known of the target and of root. [Plan.Resolve] adds the facts that the
// network provides and returns the [Spec] that every later step of the boot uses. Neither makes a
// system call, so a plan can be made, printed and compared on any machine.
//
// Each value carries the parameter that gave it. If a parameter is given twice the last one is
// used, as with the kernel's own.
package bootspec
