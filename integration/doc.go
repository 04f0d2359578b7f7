// Package integration boots diskless machines: Debian's kernels in QEMU, iscsiroot's image, real
// iSCSI targets. Each test is for a documented feature and checks what a user observes, the console
// above all. It needs root and the files that scripts/deps.sh fetches; without them it fails with a
// message that names the missing one. How a run is kept short:
//
//   - The kernel is started unpacked (lab.Kernel.Vmlinux), and without a
//     firmware's help; TestFirmwareMatrix and those of iscsiroot try have a
//     firmware.
//   - Tests run in parallel, the longest first, as many as keep the processors busy (scheduler_rig_test.go). The times of the last run are in the cache (history_rig_test.go).
//   - Of a matrix one row is run, which the commit's hash selects (rows). ROW=N selects another one, and ROW=all all; make soak runs all.
//   - Waits are short; their true lengths are in make soak.
//   - A test with Debian boots it once for several steps.
//
// At its end a run prints the times of each test, and of them those of firmware, kernel, init, the
// real system and its shutdown, the slowest first.
package integration
