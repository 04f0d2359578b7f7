package runstate

import "github.com/iscsiroot/iscsiroot/pkg/network/dhcp"

// Dir is the directory of all that is here. Below is its path below /run.
const (
	Dir   = "/run/" + Below
	Below = "iscsiroot"
)

// The names of the files in it, but for those of leases.
const (
	SessionsName = "sessions" // FormatSessions
	StatusName   = "status"   // Status
	MarkName     = "shutdown" // Mark
)

// Refreshing is a file with the names of dm devices whose tables the agent is changing, the lowest
// first, one on a line. It is there only meanwhile.
const Refreshing = Dir + "/refreshing"

// Path is where a file is.
func Path(name string) string { return Dir + "/" + name }

// StaleSuffix ends the name of a file that could not be replaced, and is out of date.
const StaleSuffix = ".stale"

// AgentRoot is where the agent's own root is mounted before it moves in.
const AgentRoot = Dir + "/agent"

// LeaseName is the name of a lease's file: a device can have one of IPv4 and one of IPv6.
func LeaseName(l dhcp.Lease) string {
	if l.V6() {
		return "lease6-" + l.Interface
	}
	return "lease-" + l.Interface
}
