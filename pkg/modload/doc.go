// Package modload loads kernel modules with finit_module(2), in the order that pkg/kmod computes,
// and u-root's pkg/kmodule unpacks the files that the running kernel cannot unpack itself. It also
// finds the modaliases of the machine's devices and answers the kernel's own requests for modules,
// as /sbin/modprobe.
//
// Other systems than Linux have only Tree, because images are built there too.
package modload
