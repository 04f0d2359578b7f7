// Package integration boots machines without disks: Debian's kernels in QEMU,
// our image, real iSCSI targets. Each test is a promise to the user and looks
// at what a person would see, the console above all.
//
// It needs root and what scripts/deps.sh brings; without them it fails with a
// line that names it.
//
// What keeps a run short:
//
//   - The kernel is started unpacked (lab.Kernel.Vmlinux), and without a
//     firmware's help; TestFirmwareMatrix and those of iscsiroot try have a
//     firmware.
//   - Tests run beside each other, the longest first, as many as keep the
//     processors busy (turns_rig_test.go). What they took the last time is kept
//     in the cache (history_rig_test.go).
//   - Of a matrix one row is run, which the commit's hash chooses (rows). ROW=N
//     chooses another one, and ROW=all all; make soak runs all.
//   - Waits are short; their true lengths are in make soak.
//   - A Debian's life has several steps: a test of one boots it once.
//
// A run prints at its end what each test took, and of that firmware, kernel,
// init, the real system and its end, the slowest first.
package integration
