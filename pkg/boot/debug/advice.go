package debug

import "fmt"

// remedy is a command of the shell that may help where a step failed.
type remedy struct{ command, why string }

// remedies lists the three commands for each step. The first entry is for a step that is not in the
// list.
var remedies = [...]struct {
	step  string
	three [3]remedy
}{
	{"cmdline", [3]remedy{{"explain", "the parameters as parsed, with their sources"}, {"cat /proc/cmdline", "what the kernel was given"}, {"retry NAME=VALUE...", "try again with these parameters"}}},
	{"uevents", [3]remedy{{"dmesg | tail", "the kernel's messages"}, {"mount", "is /sys mounted?"}, {"retry", "try again"}}},
	{"modules", [3]remedy{{"ls /lib/modules", "the kernels that the image holds modules for"}, {"uname -r", "the running kernel"}, {"dmesg | tail", "the kernel's messages"}}},
	{"drivers", [3]remedy{{"lsmod", "the modules that are loaded"}, {"dmesg | tail", "the kernel's messages about the last one"}, {"modprobe NAME", "load one by hand"}}},
	{"late-drivers", [3]remedy{{"lsmod", "the modules that are loaded"}, {"dmesg | tail", "the kernel's messages about the last one"}, {"modprobe NAME", "load one by hand"}}},
	{"network", [3]remedy{{"ip link", "the interfaces, and whether they have a link"}, {"ip addr", "their addresses"}, {"retry network iscsi_if=NAME", "try again with another one"}}},
	{"iscsi-modules", [3]remedy{{"lsmod", "the modules that are loaded"}, {"dmesg | tail", "the kernel's messages about the last one"}, {"modprobe iscsi_tcp", "load it by hand"}}},
	{"fs-modules", [3]remedy{{"lsmod", "the modules that are loaded"}, {"dmesg | tail", "the kernel's messages about the last one"}, {"modprobe NAME", "load one by hand"}}},
	{"session", [3]remedy{{"session", "the sessions"}, {"dmesg | tail", "the kernel's messages"}, {"lsmod | grep iscsi", "is iscsi_tcp loaded?"}}},
	{"login", [3]remedy{{"ping ADDRESS", "does the target's host answer?"}, {"explain", "the names and addresses that are used"}, {"login ADDRESS NAME", "log in elsewhere, or under another name"}}},
	{"agent", [3]remedy{{"ps", "the processes"}, {"free", "the memory"}, {"retry agent", "try again"}}},
	{"hand-over", [3]remedy{{"ls /run", "the files for the real system"}, {"df", "is there space?"}, {"retry hand-over", "try again"}}},
	{"disk", [3]remedy{{"session", "the session and its LUNs"}, {"dmesg | tail", "the kernel's messages about the disks"}, {"retry disk iscsi_lun=N", "try again with another LUN"}}},
	{"root", [3]remedy{{"blkid", "what the disks hold"}, {"explain", "what is looked for"}, {"retry root=DEVICE", "try again with another one"}}},
	{"mount", [3]remedy{{"dmesg | tail", "the file system's messages"}, {"mount -t TYPE /dev/sdXN /sysroot", "mount it by hand; retry then uses it"}, {"retry rootflags=OPTIONS", "try again with other options"}}},
	{"check", [3]remedy{{"ls /sysroot/sbin", "is this the root file system?"}, {"blkid", "what the other disks hold"}, {"retry init=PATH", "try again with another program"}}},
	{"switch-root", [3]remedy{{"ls /sysroot", "the new root"}, {"steps", "what ran, and for how long"}, {"session", "the session that it is on"}}},
}

// advice writes the three commands for a step.
func advice(step string) string {
	three := remedies[0].three
	for _, r := range remedies {
		if r.step == step {
			three = r.three
		}
	}
	out := "these may help:\n"
	for _, r := range three {
		out += fmt.Sprintf("  %-34s %s\n", r.command, r.why)
	}
	return out
}
