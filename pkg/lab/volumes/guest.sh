#!/bin/busybox sh
# guest.sh is the first process of the guest that makes volume groups and arrays: its functions are for /boot, which follows them.
/bin/busybox --install -s /bin
ln -s /bin/busybox /sbin/modprobe
export PATH=/bin:/sbin:/usr/sbin LVM_SUPPRESS_FD_WARNINGS=1 MDADM_NO_UDEV=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
hostname lab
modprobe virtio_pci
modprobe virtio_blk
modprobe md_mod
for command in pvcreate vgcreate vgchange lvcreate lvchange lvconvert lvextend; do ln -s lvm "/sbin/$command"; done

# lvmconf DISK...: lvm2 has no udev here, asks nothing, and sees these disks, what is made on them, and arrays.
lvmconf() {
  accept='"a|^/dev/md|", '
  for disk in "$@"; do accept="$accept\"a|^$disk|\", "; done
  cat >/etc/lvm/lvm.conf <<END
devices {
  obtain_device_list_from_udev = 0
  external_device_info_source = "none"
  use_devicesfile = 0
  hints = "none"
  scan = [ "/dev" ]
  filter = [ $accept "r|.*|" ]
}
activation { udev_sync = 0 udev_rules = 0 verify_udev_operations = 0 monitoring = 0 }
backup { backup = 0 archive = 0 }
global { use_lvmpolld = 0 thin_check_executable = "" cache_check_executable = "" }
allocation { raid_stripe_all_devices = 0 wipe_signatures_when_zeroing_new_lvs = 0 }
END
}

fill() {
  eval "from=\$content_$1"
  dd if="$from" of="$2" bs=1M conv=fsync 2>/dev/null
}

synced() { until dmsetup status "$1" | grep -q ' idle '; do sleep 0.1; done; }

# array NAME ARGUMENT...: mdadm creates the array /dev/md/NAME of new disks, which are in sync: all zeros.
array() {
  array="$1"
  shift
  mdadm --create "/dev/md/$array" --run --homehost=diskless --assume-clean "$@"
}

# members NAME ARRAY: a line for each member of the array that runs as /dev/md/ARRAY. A container has no level.
members() {
  dir="/sys/class/block/$(basename "$(readlink -f "/dev/md/$2")")/md"
  [ "$(cat "$dir/level")" ] || return 0
  for member in "$dir"/dev-*; do
    echo "fact: $1 array $2 $(cat "$dir/../dev") $(cat "$dir/level") $(cat "$member/block/dev") $(cat "$member/offset") $(($(cat "$dir/component_size") * 2))"
  done
}

# facts RECIPE DISK...: what the host has to know of the recipe.
facts() {
  name="$1" i=0
  shift
  for disk in "$@"; do
    for dir in /sys/class/block/${disk#/dev/}*; do
      echo "fact: $name disk $i $(cat "$dir/dev") $(cat "$dir/start" 2>/dev/null || echo 0)"
    done
    i=$((i + 1))
  done
  for made in $(ls /dev/md 2>/dev/null); do members "$name" "$made"; done
  dmsetup table | sed "/^No devices found/d; s/^/fact: $name table /"
}

# down takes volumes and arrays down, whichever stands on the other.
down() {
  for _ in 1 2 3; do
    vgchange -an
    mdadm --stop --scan
  done 2>/dev/null
  ! grep '^md' /proc/mdstat && ! ls /sys/block | grep '^dm-' || return 1
  rm -rf /dev/md
}

# recipe NAME DISK...: the commands of a recipe, and the disks are as after a shutdown.
recipe() {
  name="$1"
  shift
  echo "recipe $name begins after $(cut -d ' ' -f 1 /proc/uptime) s"
  lvmconf "$@"
  set -e
  . "/recipes/$name"
  facts "$name" "$@"
  set +e
  down || exit
}

# activate DISK...: all that the disks hold.
activate() {
  lvmconf "$@"
  for _ in 1 2; do
    mdadm --assemble --scan --homehost=diskless --run
    vgchange -ay -K
  done
}

. /boot
sync
echo "guest: done"
poweroff -f
