// Package shutdown is the machine's last program: the real init executes it when the root file
// system cannot be used any more.
//
// systemd runs /run/initramfs/shutdown, if there is one, as process 1 on a root in memory, with the
// real root below /oldroot and what to do as its argument (systemd's root storage daemons and
// initrd interface). Other inits run it by a line of their configuration, as process 1 or beside
// it, and it leaves the real root by itself. It ends the remaining processes, unmounts, writes the
// disks' caches back, logs out of the targets, and then powers off, reboots, halts or starts the
// next kernel; with the action leave, it does all but that.
//
// There is no deadline as long as the disks work. A target that is down delays the shutdown by half
// a minute and does not stop it.
//
// A real system whose root does not respond before the shutdown begins never executes it. For that
// case the agent runs Watch.
package shutdown
