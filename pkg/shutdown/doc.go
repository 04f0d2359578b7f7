// Package shutdown is the machine's last program: the real init returns to it
// when the root file system cannot be used any more to bring itself down.
//
// systemd runs /run/initramfs/shutdown, if there is one, as process 1 on a root
// in memory, with the real root below /oldroot and what to do as its argument
// (systemd's root storage daemons and initrd interface). It ends what is left,
// unmounts, writes the disks' caches back, logs out of the targets, and then
// powers off, reboots, halts or starts the next kernel.
//
// Each of these has a deadline: a target that is away costs half a minute and
// not the machine.
package shutdown
