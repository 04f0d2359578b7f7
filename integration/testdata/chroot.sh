#!/bin/sh
# chroot.sh TREE WORK [SOURCE TARGET]... runs the commands it reads from standard input in a copy of TREE, with each directory
# SOURCE at TARGET. The copy is in memory, and gone with the namespaces that the caller has to make: of mounts, processes and
# the network.
set -eu
tree="$1" work="$2"
shift 2
mount -t tmpfs none "$work"
root="$work/root"
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" none "$root"
mount -t proc none "$root/proc"
mount -t sysfs none "$root/sys"
mount --rbind /dev "$root/dev"
while [ $# -gt 1 ]; do
  mkdir -p "$root$2"
  mount --rbind "$1" "$root$2"
  shift 2
done
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec chroot "$root" /bin/bash
