#!/bin/sh
# Runs as root in namespaces of its own: makes an initramfs with one of Debian's own makers, in a chroot.
#   initrds.sh MAKER ROOT RELEASE DRIVER OUTPUT
# Nothing is left in ROOT. The result has the driver of one network card and ext4, as ours does.
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
	printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' >>"$work/conf/initramfs.conf"
	printf '%s\n' virtio_pci "$driver" iscsi_tcp sd_mod ext4 >>"$work/conf/modules"
	: >"$root/etc/iscsi/iscsi.initramfs"
	chroot "$root" mkinitramfs -d "$inside/conf" -o "$inside/initrd" "$release"
	;;
dracut)
	# Its own iscsi module, without systemd, which is the faster of its two kinds. It would take every network driver.
	others=$(find "$root/lib/modules/$release/kernel/drivers/net" -name '*.ko' -printf '%f\n' | sed 's/\.ko$//; s/-/./g' |
		grep -vx -e "$driver" -e net_failover)
	chroot "$root" dracut --force --no-hostonly --no-early-microcode --zstd --kver "$release" --tmpdir "$inside" \
		--omit "systemd systemd-networkd dbus" --omit-drivers "$(echo $others)" \
		--modules "bash base fs-lib kernel-modules kernel-network-modules network-legacy network iscsi rootfs-block udev-rules" \
		--drivers "virtio_pci $driver iscsi_tcp crc32c_generic sd_mod ext4" --filesystems ext4 "$inside/initrd"
	;;
esac
mv "$work/initrd" "$output"
