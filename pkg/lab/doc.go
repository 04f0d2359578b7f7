// Package lab starts a QEMU machine and iSCSI targets in a network namespace of their own, for the demo, the benchmark, try
// and the integration tests. It runs on a Linux host as root; what it needs beyond Go is brought by scripts/deps.sh.
//
// A program that uses it, a test's TestMain as well, calls [Main] first: targets run in children of the same executable.
//
//	ns, err := lab.NewNamespace()
//	defer ns.Close()
//	tap, err := ns.AddTap("tap0", netip.MustParsePrefix("10.77.0.1/24"))
//	target, err := ns.StartGotgt(ctx, lab.TargetConfig{...})
//	machine, err := ns.StartMachine(lab.MachineConfig{..., NICs: []lab.NIC{{Tap: tap}}})
//	text, err := machine.Expect(ctx, "login:")
//
// Every wait ends with its context; nothing sleeps for a fixed time, and nothing that is started outlives the process.
package lab
