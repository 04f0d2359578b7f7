// Package mounts reads the kernel's tables of mounts, and files of the same format, such as fstab.
package mounts

import (
	"iter"
	"strings"
)

// Mount is a mounted file system.
type Mount struct {
	Source  string // what is mounted, "/dev/sda2"
	Dir     string // where
	Type    string
	Options string // with commas
}

// Table returns the mounts of /proc/self/mounts, of which a later one hides an earlier one on the
// same directory (fs/proc_namespace.c: show_vfsmnt).
func Table(text string) iter.Seq[Mount] {
	return func(yield func(Mount) bool) {
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 4 {
				continue
			}
			if !yield(Mount{Source: Unescape(f[0]), Dir: Unescape(f[1]), Type: Unescape(f[2]), Options: Unescape(f[3])}) {
				return
			}
		}
	}
}

// On returns what is mounted on dir in such a table, the topmost if there are several; the zero
// value if nothing is.
func On(text, dir string) Mount {
	var on Mount
	for m := range Table(text) {
		if m.Dir == dir {
			on = m
		}
	}
	return on
}

// Points returns the mount points, in the order of /proc/self/mountinfo (fs/proc_namespace.c:
// show_mountinfo): id, parent, major:minor, root, mount point.
func Points(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) >= 5 && !yield(Unescape(f[4])) {
				return
			}
		}
	}
}

// Number returns the device number of the file system on dir, "8:2", of the topmost if there are
// several, from the text of /proc/self/mountinfo; "" if none is mounted there.
func Number(text, dir string) (number string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 5 && Unescape(f[4]) == dir {
			number = f[2]
		}
	}
	return number
}

// Unescape undoes \ooo, which stands for what separates fields (fs/seq_file.c: mangle_path;
// fstab(5)).
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1:i+4]) && s[i+1] < '4' {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isOctal(s string) bool { return strings.Trim(s, "01234567") == "" }
