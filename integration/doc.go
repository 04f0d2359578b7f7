// Package integration boots machines without disks: Debian's kernels in QEMU,
// our image, real iSCSI targets. Each test is a promise to the user and looks
// at what a person would see, the console above all.
//
// It needs root and what scripts/deps.sh brings; without them it fails with a
// line that says so.
package integration
