// Package kerneltest is the kernel's end of NETLINK_ISCSI for tests.
//
// A [Socket] is that end at the level of messages: a function answers each request, and the test
// sends events at any time. [Kernel] is a kernel on top of it that has sessions and moves PDUs over
// the TCP connections it is given.
//
// The layouts are written down a second time here, as plain offsets, so that a mistake in package
// kernel does not confirm itself.
package kerneltest
