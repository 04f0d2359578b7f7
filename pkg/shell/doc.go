// Package shell is the debug shell that rd.break and rd.shell open.
//
// It runs as a child of PID 1 on a terminal of its own. If the image holds a
// shell that one is taken; otherwise it is a small prompt of our own, the same
// file as /init under another name, which needs nothing but the kernel.
package shell
