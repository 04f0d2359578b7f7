package handover

// ifupdown empties the stop command of ifupdown's two services: it would take
// the links down, and run-parts, its next program, is on the root behind them.
// Started again, ifup finds its state file and does nothing to a link that is
// up. A person's own ifdown still works, and is the agent's to heal.
func ifupdown() []File {
	const content = "# From iscsiroot: root hangs on the network, which must stay.\n[Service]\nExecStop=\n"
	return []File{
		{Path: "systemd/system/networking.service.d/50-iscsiroot.conf", Mode: 0o644, Content: content},
		{Path: "systemd/system/ifup@.service.d/50-iscsiroot.conf", Mode: 0o644, Content: content},
	}
}
