package handover

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// systemd has systemd notify the agent that the machine is going down, before it does anything else
// about it: from then on nothing waits for a root disk without a target. A target that needs a
// program on root would hang with it; this program is in memory. The ordering, which has no other
// effect, makes systemd read the units for shutdown while it can: a systemd that reads
// poweroff.target only at the request to power off, when the disk is dead, waits in the kernel
// without end. The slice is one that stays: a template's own slice is stopped by the same
// transaction that would start the service, which systemd then leaves out.
func systemd(f Facts) []File {
	const unit = "iscsiroot-shutdown"
	service := "# From iscsiroot.\n[Unit]\nDescription=Tell the iSCSI agent that the machine goes down: %i\nDefaultDependencies=no\n" +
		"[Service]\nType=oneshot\nSlice=system.slice\nCPUWeight=10000\nNice=-20\nStandardInput=null\nStandardOutput=null\nStandardError=null\n" +
		fmt.Sprintf("ExecStart=-%s %s %s", f.Program, runstate.BegunArgument, runstate.Mark{Action: "%i", Limit: f.ShutdownTimeout}.Format())
	files := []File{{Path: "systemd/system/" + unit + "@.service", Mode: 0o644, Content: service}}
	all := ""
	for _, action := range runstate.Actions() { // which are the names of systemd's targets too
		end := string(action)
		all += " " + end + ".target"
		files = append(files, File{
			Path: "systemd/system/" + end + ".target.d/50-iscsiroot.conf", Mode: 0o644,
			Content: "# From iscsiroot.\n[Unit]\nWants=" + unit + "@" + end + ".service\n",
		})
	}
	return append(files, File{
		Path: "systemd/system/shutdown.target.d/50-iscsiroot.conf", Mode: 0o644,
		Content: "# From iscsiroot: read these now, not when root may be dead.\n[Unit]\nBefore=" + all[1:] + "\n",
	})
}
