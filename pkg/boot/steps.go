package boot

import (
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// Steps lists the steps of the boot. Those that correspond to dracut's break points are in
// debug/breakpoints.go.
func (m *Machine) Steps() []sequence.Step {
	return []sequence.Step{
		{Name: "modules", Run: m.drivers.Open},
		{Name: "drivers", Needs: []string{"modules"}, Run: m.drivers.LoadForDevices},
		{Name: "late-drivers", Needs: []string{"drivers"}, Run: m.drivers.LoadLate},
		{Name: "network", Needs: []string{"modules"}, Timeout: netup.AttemptTimeout, Grace: netup.Grace, Run: m.bringUpNetwork},
		{Name: "iscsi-modules", Needs: besideDrivers(m.cpus), Run: m.drivers.LoadISCSI},
		{Name: "fs-modules", Needs: []string{"iscsi-modules"}, Run: m.drivers.LoadFilesystems},
		{Name: "session", Needs: []string{"iscsi-modules"}, Timeout: 30 * time.Second, Run: m.sessions.Create},
		{Name: "login", Needs: []string{"session", "network"}, Run: m.sessions.Login},
		{Name: "agent", Needs: []string{"session"}, Run: m.sessions.StartAgent},
		{Name: "disk", Needs: []string{"login"}, Timeout: 20 * time.Second, Grace: 30 * time.Second, Run: m.storage.FindDisks},
		{Name: "root", Needs: []string{"disk", "fs-modules", "agent"}, Run: m.findRoot},
		{Name: "mount", Needs: []string{"root"}, Run: m.mountRoot},
		{Name: "check", Needs: []string{"mount"}, Run: m.checkRoot},
		{Name: "hand-over", Needs: []string{"check", "agent"}, Run: m.handOver},
		{Name: "switch-root", Needs: []string{"hand-over", "late-drivers"}, Run: m.switchRoot},
	}
}

// besideDrivers returns the needs of steps that load modules that no NIC waits for. On one
// processor they wait for the NIC's driver, which they would only slow down; while the link comes
// up, which takes seconds, there is time enough.
func besideDrivers(cpus int) []string {
	if cpus == 1 {
		return []string{"modules", "drivers"}
	}
	return []string{"modules"}
}
