#!/bin/sh
# The least that a script can do. The lines between the marks are written by the benchmark: insmod, a module, and step, a name.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
read -r cmdline </proc/cmdline
step() { :; }
for word in $cmdline; do
	case $word in
	iscsi_i_ip=*) address=${word#*=} ;;
	iscsi_i=*) initiator=${word#*=} ;;
	iscsi_t=*) target=${word#*=} ;;
	iscsi_a=*) portal=${word#*=} ;;
	rd.debug) step() { echo "<6>bench: step $1" >/dev/kmsg; } ;;
	esac
done
step start
@nic@
ifconfig eth0 "${address%/*}" netmask "${address#*/}"
step address
@iscsi@
@fs@
@preload@iscsistart -i "$initiator" -t "$target" -g 1 -a "$portal"
step iscsistart
until [ -b /dev/sda2 ]; do usleep 5000; done
step disk
until mount -t ext4 -o ro /dev/sda2 /sysroot; do usleep 5000; done
step mount
mount -o move /dev /sysroot/dev
mount -o move /proc /sysroot/proc
mount -o move /sys /sysroot/sys
exec switch_root /sysroot /sbin/init
