#!/bin/bash
# The HOWTO's order and commands; the insmod lines are this kernel's modules for the same purposes.
@fs@
@nic@
@iscsi@
echo Mounting /proc filesystem
mount -t proc /proc /proc
echo Mounting sysfs
mount -t sysfs /sys /sys
CMDLINE=$(cat /proc/cmdline)
TEMPVAR=${CMDLINE#*iscsi_i_ip=}
ISCSI_I_IP=${TEMPVAR%% *}
TEMPVAR=${CMDLINE#*iscsi_i=}
ISCSI_I=${TEMPVAR%% *}
TEMPVAR=${CMDLINE#*iscsi_t=}
ISCSI_T=${TEMPVAR%% *}
TEMPVAR=${CMDLINE#*iscsi_a=}
ISCSI_A=${TEMPVAR%% *}
ifconfig eth0 ${ISCSI_I_IP%/*} netmask ${ISCSI_I_IP#*/}
iscsistart -i "$ISCSI_I" -t "$ISCSI_T" -g 1 -a $ISCSI_A
mount -o ro /dev/sda2 /sysroot
echo Switching to new root
cd /sysroot
exec chroot . sh -c 'exec /sbin/init'
