// Package shell is the debug shell that rd.break and rd.shell open.
//
// It is a POSIX shell that needs nothing but the kernel: mvdan.cc/sh is the interpreter, the
// commands are functions of package verb and those that the caller adds. PID 1 runs it as a child,
// the same file under another name, on a terminal of its own, so that its failure does not end PID
// 1. It reads and controls the boot by requests to PID 1 (package control).
//
//	main.go      start: password, a shell of the image, the built-in one
//	shell.go     reads lines and runs them
//	interp.go    how the interpreter runs a command
//	job.go       commands in the background
//	terminal.go  the terminal in its two modes
//	editor.go    a line with editing, history and completion
//	help.go      help
package shell
