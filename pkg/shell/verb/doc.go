// Package verb holds the commands of the debug shell that need nothing but the kernel: one file for
// each, or for a few that belong together. They do a part of what their namesakes do, with the same
// options.
//
// A verb reads its arguments, reads and writes the files of its Call, and returns an error for the
// screen. It is a goroutine of the shell, not a process: it may not change the working directory,
// and ends when its context does.
package verb
