package runstate

import "strings"

// Names of the agent's processes: argv[0] of the init binary. systemd spares processes whose first
// byte is '@' when it kills what is left at shutdown (systemd's ROOT_STORAGE_DAEMONS).
//
// PID 1 starts a first worker from /init, which costs a boot the least. When the boot is over it
// copies the program to where it can stay, starts the supervisor from there and ends; the
// supervisor keeps a worker running. Each of the two checks whether the other one has ended, is
// stopped or stuck, and replaces it: of workers there is never more than one.
const (
	FirstName      = SupervisorName + "-boot"
	SupervisorName = "@iscsiroot"
	WorkerName     = SupervisorName + "-agent"
)

// IsAgent reports whether a process with this command line is one of them, also one of another
// version's.
func IsAgent(cmdline string) bool { return strings.HasPrefix(cmdline, SupervisorName) }

// MayBeAgent reports whether a process that runs a file of this name can be one of them: they run
// PID 1's, its copy in /run, and /proc/self/exe.
func MayBeAgent(comm string) bool { return comm == "init" || comm == "shutdown" || comm == "exe" }
