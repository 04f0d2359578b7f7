// Package bootspec turns what the machine was told into what to do.
//
// It works in two pure steps. [Parse] reads the command line and makes a [Plan]: the network to
// bring up, and what is known of the target and the root. [Plan.Resolve] adds the facts that only
// the network can tell and makes the [Spec] that every later step of the boot obeys. Neither asks
// the kernel for anything, so a plan can be made, printed and compared on a laptop.
//
// Each value carries the parameter that gave it. Where a parameter is given twice the last one
// counts, as it does for the kernel's own.
package bootspec
