#!/bin/sh
# Runs as root in namespaces of its own: makes an initramfs with one of Debian's own makers, in a chroot.
#   initrds.sh MAKER ROOT RELEASE DRIVER OUTPUT
# Nothing is left in ROOT. The result has the driver of one network card and ext4, as ours does; if DRIVER is every, what the
# maker puts in for a machine that it does not know.
set -eu
maker=$1 root=$2 release=$3 driver=$4 output=$5
mount --make-rprivate /
mount -t proc proc "$root/proc"
work=$(mktemp -d "$root/var/tmp/initrd.XXXXXX")
trap 'rm -rf "$work"' EXIT
inside=${work#"$root"}
case $maker in
initramfs-tools)
	# iscsi_auto's and cards' modules that its hook adds are its own choice.
	cp -a "$root/etc/initramfs-tools" "$work/conf"
	modules=list
	[ "$driver" != every ] || modules=most
	printf '%s\n' MODULES=$modules COMPRESS=zstd RESUME=none >>"$work/conf/initramfs.conf"
	[ $modules = most ] || printf '%s\n' virtio_pci "$driver" iscsi_tcp sd_mod ext4 >>"$work/conf/modules"
	: >"$root/etc/iscsi/iscsi.initramfs"
	chroot "$root" mkinitramfs -d "$inside/conf" -o "$inside/initrd" "$release"
	;;
dracut)
	# Its own iscsi module, without systemd, which is the faster of its two kinds. It would take every network driver.
	set -- --modules "bash base fs-lib kernel-modules kernel-network-modules network-legacy network iscsi rootfs-block udev-rules"
	if [ "$driver" != every ]; then
		others=$(find "$root/lib/modules/$release/kernel/drivers/net" -name '*.ko' -printf '%f\n' | sed 's/\.ko$//; s/-/./g' |
			grep -vx -e "$driver" -e net_failover)
		set -- "$@" --omit-drivers "$(echo $others)" \
			--drivers "virtio_pci $driver iscsi_tcp crc32c_generic sd_mod ext4" --filesystems ext4
	fi
	chroot "$root" dracut --force --no-hostonly --no-early-microcode --zstd --kver "$release" --tmpdir "$inside" \
		--omit "systemd systemd-networkd dbus" "$@" "$inside/initrd"
	;;
esac
mv "$work/initrd" "$output"
