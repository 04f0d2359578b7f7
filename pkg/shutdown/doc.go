// Package shutdown is the machine's last program: the real init comes to it when the root file
// system cannot be used any more to bring itself down.
//
// systemd runs /run/initramfs/shutdown, if there is one, as process 1 on a root in memory, with the
// real root below /oldroot and what to do as its argument (systemd's root storage daemons and
// initrd interface). Other inits run it by a line of their configuration, as process 1 or beside
// it, and it moves out of the real root by itself. It ends what is left, unmounts, writes the
// disks' caches back, logs out of the targets, and then powers off, reboots, halts or starts the
// next kernel; asked to leave, it does all but that.
//
// Nothing has a deadline as long as the disks work. A target that is away costs half a minute and
// not the machine.
//
// A real system whose root is dead before it is asked to go down never comes that far. Watch is the
// agent's part in that.
package shutdown
