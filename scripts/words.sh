#!/bin/bash
# words.sh makes the lists of other programs' words that the tests of pkg/bootspec read: the names of the parameters in the manuals
# of the kernel, systemd, dracut and initramfs-tools, from Debian's packages. Names are facts; no text of the manuals is taken.
#
#   scripts/words.sh [DIR]     without DIR: pkg/bootspec/testdata
#
# It needs apt-get with package lists of Debian 12, dpkg-deb and zcat. Nothing is installed.
set -euo pipefail
export LC_ALL=C

out="$(realpath "${1:-"$(dirname "$0")/../pkg/bootspec/testdata"}")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

# unpack PACKAGE: its files are in ./PACKAGE, its version in $version.
unpack() {
  apt-get download "$1" >/dev/null 2>&1 || { printf 'words: package %s: apt-get cannot download it: run apt-get update\n' "$1" >&2; exit 1; }
  version="$(dpkg-deb -f "$1"_*.deb Version)"
  dpkg-deb -x "$1"_*.deb "$1"
}

# write NAME PACKAGE MANUAL: the list words-NAME, of the words on standard input.
write() {
  {
    printf '# The parameters in %s of Debian package %s %s, one a line; made by scripts/words.sh.\n' "$3" "$2" "$version"
    grep -E '^[A-Za-z0-9_][A-Za-z0-9_.-]*$' | sort -u
  } >"$out/words-$1"
}

# plain FILE: a manual page with its escapes taken back and each change of the font at the beginning of a line.
plain() { zcat "$1" | sed 's/\\&//g; s/\\-/-/g; s/\\f[BI]/\n@/g; s/\\fR/\n/g'; }

unpack linux-doc-6.1
zcat linux-doc-6.1/usr/share/doc/linux-doc-6.1/Documentation/admin-guide/kernel-parameters.txt.gz |
  sed -n 's/^\t\([^\t =,[]*\).*/\1/p' | write kernel linux-doc-6.1 kernel-parameters.txt

unpack systemd
plain systemd/usr/share/man/man7/kernel-command-line.7.gz | sed -n 's/^@\([^= ]*\)=\{0,1\}$/\1/p' |
  write systemd systemd 'kernel-command-line(7)'

# Bold in dracut's: names with "=", and those that begin with "rd.".
unpack dracut-core
plain dracut-core/usr/share/man/man7/dracut.cmdline.7.gz | sed -n 's/^@\([^= ]*\)=.*/\1/p; s/^@\(rd\.[^= ]*\)$/\1/p' |
  write dracut dracut-core 'dracut.cmdline(7)'

unpack initramfs-tools-core
zcat initramfs-tools-core/usr/share/man/man7/initramfs-tools.7.gz | sed -n '/^\.SH Kernel Command Line/,/^\.SH SCRIPTS/p' | sed 's/\\-/-/g' |
  sed -n 's/^\\fB\\fI *\([^= ]*\).*/\1/p' | write initramfs-tools initramfs-tools-core 'initramfs-tools(7)'
