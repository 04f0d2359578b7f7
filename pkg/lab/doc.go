// Package lab starts QEMU machines and their peers in a network namespace of their own, for the
// demo, the benchmark, try and the integration tests. It runs on a Linux host as root; what it
// needs beyond Go is fetched by scripts/deps.sh and found by package deps. Package images makes the
// disks and the initramfs, package targets the iSCSI targets, package faultproxy stands between a
// machine and its target. Nothing of this is an API for other modules.
//
//	ns, err := lab.NewNamespace()
//	defer ns.Close()
//	tap, err := ns.AddTap("tap0", netip.MustParsePrefix("10.77.0.1/24"))
//	target, err := targets.StartGotgt(ctx, ns, targets.Config{...})
//	machine, err := ns.StartMachine(lab.MachineConfig{..., NICs: []lab.NIC{{Tap: tap}}})
//	text, err := machine.Expect(ctx, "login:")
//
// Every wait ends with its context; nothing sleeps for a fixed time, and nothing that is started
// outlives the process.
package lab
