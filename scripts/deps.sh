#!/bin/bash
# deps.sh brings what the lab needs and Go cannot: QEMU and file system tools as packages of this machine; kernels, tgt and
# busybox only unpacked into a cache, because installing them would start daemons or change how this machine boots; and whole
# Debian systems, made by debian-root, for machines to have as their root.
#
#   scripts/deps.sh [ITEM...]     without an item: all that the tests need
#
# The cache is $ISCSIROOT_CACHE, else iscsiroot in $XDG_CACHE_HOME or ~/.cache. Its links are what pkg/lab/deps reads:
#   kernels/amd64  kernels/amd64-6.12  kernels/amd64-5.10  kernels/cloud-amd64  tgt  busybox  netboot  debian/systemd  debian/sysvinit  debian/room
#   debian/managers  bench  debian/initrds  debian/backports  debian/stack  lvm  mdadm
#   debian/lvm  debian/lvm-trixie  debian/lvm-sid
# Items that are no links: demo, which is kernel, tgt and busybox; bench-full, which is all that the benchmark measures.
# Without a missing or outdated part nothing is asked of the network.
set -euo pipefail

readonly host_packages=(qemu-system-x86 seabios ipxe-qemu kmod e2fsprogs xz-utils zstd
  xfsprogs btrfs-progs f2fs-tools erofs-utils squashfs-tools dosfstools genisoimage cryptsetup-bin fdisk mount dnsmasq-base
  debootstrap debian-archive-keyring grub-common)
# lvm2 for the guest that makes volume groups, with all libraries that it links: the guest has nothing else but busybox.
readonly lvm_packages=(lvm2 dmsetup libdevmapper1.02.1 libdevmapper-event1.02.1 libaio1 libblkid1 libc6 libedit2 libbsd0 libmd0
  libtinfo6 libselinux1 libpcre2-8-0 libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 liblz4-1 libzstd1 libudev1)
# mdadm for the same guest.
readonly mdadm_packages=(mdadm libc6 libudev1)
readonly tgt_packages=(tgt libaio1 libibverbs1 librdmacm1 libnl-3-200 libnl-route-3-200 libsystemd0)
# Firmware and boot loaders. syslinux writes itself onto a disk of the lab by mtools.
readonly netboot_packages=(pxelinux syslinux syslinux-common mtools ovmf systemd-boot-efi grub-efi-amd64-signed)
# The HOWTO's programs and the libraries they name. What of a library's package belongs to the image, the benchmark finds out.
readonly bench_packages=(open-iscsi libopeniscsiusr bash coreutils kmod mount net-tools libc6 libtinfo6 libssl3 libkmod2
  libzstd1 liblzma5 libmount1 libblkid1 libselinux1 libpcre2-8-0)
readonly maker="${BASH_SOURCE[0]%/*}/debian-root"
readonly cache="${ISCSIROOT_CACHE:-${XDG_CACHE_HOME:-${HOME:?deps: HOME is not set}/.cache}/iscsiroot}"
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

# run WHAT COMMAND...: quiet when it works; the whole output and one line when it does not.
run() {
  local what="$1" out
  shift
  out="$("$@" 2>&1)" || { printf '%s\n' "$out" >&2; die "$what: failed, its output is above"; }
}

# suite_of ITEM prints the suite that ITEM is from, nothing if it is the machine's own.
suite_of() {
  case "$1" in
    kernel-6.12) echo "$(codename)-backports" ;;
    kernel-5.10) echo bullseye ;;
  esac
}

# apt_options ITEM sets apt_opts. Another suite is read from lists of its own, so the machine's sources stay as they are;
# the machine's binary cache of lists is left alone too.
apt_options() {
  apt_opts=(-qq -o APT::Sandbox::User=root)
  [[ -n "$(suite_of "$1")" ]] || return 0
  apt_opts+=(-o "Dir::Etc::sourcelist=$cache/apt/$1.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$(lists_of "$1")" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
}

# kind_of ITEM prints the KIND of debian-root that a Debian is, and release_of the release.
kind_of() { local kind="${1#debian-}"; echo "${kind%%-*}"; }
release_of() { if [[ "$1" == debian-*-* ]]; then echo "${1##*-}"; else codename; fi; }

# shellcheck source=/dev/null
codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:?}"); }

# debian_source prints the mirror, and the file with the key if one is named, that this machine uses for its release.
debian_source() {
  local files
  mapfile -t files < <(find /etc/apt -maxdepth 2 \( -name '*.sources' -o -name '*.list' \) | sort)
  awk -v suite="$(codename)" '
    function emit() {
      if (uri != "" && (" " suites " ") ~ (" " suite " ") && !done) {
        print uri, (key ~ /^\// ? key : ""); done = 1
      }
      uri = suites = key = ""
    }
    FNR == 1 { emit() }
    FILENAME ~ /\.sources$/ {
      if ($0 ~ /^[ \t]*$/) emit()
      else if (tolower($1) == "uris:") uri = $2
      else if (tolower($1) == "suites:") { $1 = ""; suites = $0 }
      else if (tolower($1) == "signed-by:") key = $2
      next
    }
    $1 == "deb" {
      options = ""; line = $0
      if (match(line, /\[[^]]*\]/)) { options = substr(line, RSTART + 1, RLENGTH - 2); sub(/\[[^]]*\]/, "", line) }
      split(line, word); uri = word[2]; suites = word[3]
      if (match(options, /signed-by=[^ ]*/)) key = substr(options, RSTART + 10, RLENGTH - 10)
      emit()
    }
    END { emit() }
  ' /dev/null "${files[@]}"
}

# prepare ITEM writes the source of an item of another suite.
prepare() {
  local uri key
  read -r uri key < <(debian_source) || die "$1: no Debian source for this release in /etc/apt to derive that of $(suite_of "$1") from"
  mkdir -p "$(lists_of "$1")/partial"
  printf 'deb %s%s %s main\n' "${key:+[signed-by=$key] }" "$uri" "$(suite_of "$1")" >"$cache/apt/$1.list"
}

# packages ITEM prints the names of ITEM's packages; nothing if the lists do not know them.
packages() {
  apt_options "$1"
  case "$1" in
    kernel) kernel_behind linux-image-amd64 ;;
    kernel-cloud) kernel_behind linux-image-cloud-amd64 ;;
    kernel-5.10) kernel_behind linux-image-amd64 ;;
    kernel-6.12) apt-cache "${apt_opts[@]}" pkgnames linux-image-6.12. | grep -E '[0-9]-amd64$|deb[0-9]+-amd64$' | sort -V | tail -n 1 || true ;;
    tgt) printf '%s\n' "${tgt_packages[@]}" ;;
    lvm) printf '%s\n' "${lvm_packages[@]}" ;;
    mdadm) printf '%s\n' "${mdadm_packages[@]}" ;;
    busybox) echo busybox-static ;;
    netboot) printf '%s\n' "${netboot_packages[@]}" ;;
    bench) printf '%s\n' "${bench_packages[@]}" ;;
    debian-*) "$maker" packages "$(kind_of "$1")" | tr ' ' '\n' ;;
  esac
}

# kernel_behind META prints the image package that the meta package depends on today.
kernel_behind() {
  apt-cache "${apt_opts[@]}" depends --no-recommends --no-suggests "$1" 2>/dev/null |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
}

# versions ITEM prints what makes ITEM what it is, or nothing if a part is unknown: one name=version line per package; for a
# Debian, of which these are only what was asked for, its kernel's and the sum of its maker too.
versions() {
  local own kernel
  own="$(package_versions "$1")"
  [[ "$1" == debian-* ]] || { printf '%s' "$own"; return; }
  kernel="$(package_versions kernel)"
  [[ "$1" != debian-*-* ]] || kernel+=$'\n'"$(release_of "$1")" # whose own versions are not asked for
  [[ "$1" != debian-backports ]] || kernel+=$'\nbackports' # the rest is what debian-systemd is made of
  [[ -z "$own" || -z "$kernel" ]] || printf '%s\n' "$own" "$kernel" "$(cksum <"$maker")"
}

# package_versions ITEM prints one name=version line per package, or nothing if one of them is unknown.
package_versions() {
  local names
  mapfile -t names < <(packages "$1")
  [[ ${#names[@]} -gt 0 ]] || return 0
  apt_options "$1"
  apt-cache "${apt_opts[@]}" policy "${names[@]}" 2>/dev/null | awk -v want="${#names[@]}" '
    /^[^ ]/ { name = substr($1, 1, length($1) - 1) }
    $1 == "Candidate:" && $2 != "(none)" { line[n++] = name "=" $2 }
    END { if (n == want) for (i = 0; i < n; i++) print line[i] }'
}

link_of() {
  case "$1" in
    kernel) echo kernels/amd64 ;;
    kernel-6.12) echo kernels/amd64-6.12 ;;
    kernel-5.10) echo kernels/amd64-5.10 ;;
    kernel-cloud) echo kernels/cloud-amd64 ;;
    debian-*) echo "debian/${1#debian-}" ;;
    *) echo "$1" ;;
  esac
}

# tree_of VERSIONS prints the directory those versions unpack to. A colon would end a path in LD_LIBRARY_PATH.
tree_of() {
  local first sum
  first="$(head -n 1 <<<"$1" | tr ':=' '._')"
  sum="$(cksum <<<"$1" | cut -d ' ' -f 1)"
  printf 'trees/%s.%s\n' "$first" "$sum"
}

# lists_of ITEM prints the directory of the package lists that ITEM is looked up in.
lists_of() { if [[ -n "$(suite_of "$1")" ]]; then echo "$cache/apt/lists-$1"; else echo /var/lib/apt/lists; fi; }

cached() { [[ -e "$cache/$(link_of "$1")/.complete" ]]; }

# missing ITEM succeeds if ITEM is absent or the lists name another version of it. Asking apt takes half a second, so lists
# that have not changed since the last answer are not asked again.
missing() {
  local stamp="$cache/checked/$1" want
  cached "$1" || return 0
  [[ "$(lists_of "$1")" -nt "$stamp" || ("$1" == debian-* && "$maker" -nt "$stamp") ]] || return 1
  touch "$stamp.new"
  want="$(versions "$1")"
  if [[ -n "$want" && "$(readlink -f "$cache/$(link_of "$1")")" != "$(readlink -f "$cache")/$(tree_of "$want")" ]]; then
    return 0
  fi
  mv "$stamp.new" "$stamp"
  return 1
}

# fetch ITEM downloads and unpacks the versions the lists name and turns the link to them.
fetch() {
  local item="$1" want tree link
  touch "$cache/checked/$item.new"
  want="$(versions "$item")"
  [[ -n "$want" ]] || die "$item: the package lists do not know it; is this Debian 12 with its main section enabled?"
  tree="$(tree_of "$want")" link="$(link_of "$item")"
  [[ -e "$cache/$tree/.complete" ]] || unpack "$item" "$want" "$cache/$tree"
  ln -sfnr "$cache/$tree" "$cache/$link.new"
  mv -T "$cache/$link.new" "$cache/$link"
  mv "$cache/checked/$item.new" "$cache/checked/$item"
  say "$item: ready"
}

# unpack ITEM VERSIONS TREE makes TREE whole or not at all.
unpack() {
  local item="$1" temp
  temp="$(mktemp -d "$cache/trees/.tmp.XXXXXX")"
  mkdir "$temp/tree"
  case "$item" in
    debian-*) make_debian "$item" "$temp/tree/root" ;;
    *) unpack_packages "$item" "$2" "$temp" ;;
  esac
  printf '%s\n' "$2" >"$temp/tree/.complete"
  rm -rf "$3"
  mv -T "$temp/tree" "$3"
  rm -rf "$temp"
}

unpack_packages() {
  local item="$1" temp="$3" deb
  say "$item: downloading $(tr '\n' ' ' <<<"$2")"
  mkdir "$temp/debs"
  apt_options "$item"
  # shellcheck disable=SC2086 # one word per package; names and versions hold no blanks
  (cd "$temp/debs" && run "$item: download" apt-get "${apt_opts[@]}" download $2)
  say "$item: unpacking"
  for deb in "$temp"/debs/*.deb; do run "$item: unpack" dpkg-deb -x "$deb" "$temp/tree"; done
  [[ "$item" != kernel* ]] || index_modules "$temp/tree"
}

# make_debian ITEM ROOT makes the machine's own release, or that in ITEM's name, from the machine's own mirror, with the modules
# of the item kernel.
make_debian() {
  local item="$1" root="$2" uri key proxy="" release kind suite
  kind="$(kind_of "$item")" suite="$(release_of "$item")"
  read -r uri key < <(debian_source) || die "$item: no Debian source for this release in /etc/apt to make it from"
  [[ "$key" == *.gpg ]] || key=/usr/share/keyrings/debian-archive-keyring.gpg
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [[ -z "$proxy" || "$proxy" == DIRECT ]] || export http_proxy="$proxy"
  say "$item: making a $suite of $("$maker" packages "$kind") and what they need, in about a minute"
  mkdir "$root"
  run "$item" "$maker" make "$kind" "$root" "$suite" "$uri" "$key"
  for release in "$cache"/kernels/amd64/lib/modules/*; do run "$item: modules" "$maker" modules "$root" "$release"; done
}

# index_modules ROOT writes modules.dep and its kin, which the package leaves to its installation.
index_modules() {
  local release
  for release in "$1"/lib/modules/*; do run "depmod" depmod -b "$1" "${release##*/}"; done
}

# refresh ITEM... updates the package lists that the items need. Without a network the old lists may still do.
refresh() {
  local item
  say "missing or outdated: $*"
  [[ "$(id -u)" -eq 0 ]] || die "only root can get them; run this as root"
  say "updating the package lists"
  apt_options ""
  apt-get "${apt_opts[@]}" update || say "the package lists could not be updated; continuing with the present ones"
  for item in "$@"; do
    [[ -n "$(suite_of "$item")" ]] || continue
    apt_options "$item"
    apt-get "${apt_opts[@]}" update || say "the lists of $(suite_of "$item") could not be updated"
  done
}

# fetch_or_keep ITEM: an older version at hand is better than none, where the network does not answer.
fetch_or_keep() {
  local status
  set +e # a condition would switch errexit off inside
  (set -e; fetch "$1")
  status=$?
  set -e
  [[ "$status" -eq 0 ]] || { cached "$1" && say "$1: keeping the version in the cache"; }
}

install_host_packages() {
  say "installing $*"
  apt_options ""
  run "apt-get install" apt-get "${apt_opts[@]}" install -y --no-install-recommends "$@"
}

# not_installed prints which of the host packages are absent.
not_installed() {
  local package
  for package in "${host_packages[@]}"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" == installed ]] || echo "$package"
  done
}

# choose sets items from the arguments, in an order in which each can be made.
choose() {
  local item
  for item in "${@:-test}"; do
    case "$item" in
      test) items+=(kernel kernel-6.12 kernel-cloud tgt lvm mdadm busybox netboot
        debian-systemd debian-sysvinit debian-managers debian-lvm debian-room) ;;
      demo) items+=(kernel tgt busybox) ;;
      bench) items+=(kernel tgt busybox bench) ;;
      soak) items+=(kernel-5.10 debian-backports debian-stack debian-lvm-trixie debian-lvm-sid) ;;
      bench-full) items+=(kernel tgt busybox bench debian-initrds) ;;
      kernel-5.10 | kernel-6.12 | kernel-cloud | netboot | lvm | mdadm | debian-lvm | debian-lvm-trixie | debian-lvm-sid | debian-room)
        items+=("$item") ;;
      *) die "unknown argument $item; known: test demo bench bench-full soak kernel-5.10 kernel-6.12 kernel-cloud netboot" \
        "lvm mdadm debian-lvm debian-lvm-trixie debian-lvm-sid debian-room" ;;
    esac
  done
}

main() {
  local items=() todo=() packages=() item
  choose "$@"
  for item in apt-get apt-cache dpkg-deb flock; do
    command -v "$item" >/dev/null || die "$item not found: this script knows Debian only"
  done
  mkdir -p "$cache/kernels" "$cache/debian" "$cache/trees" "$cache/checked"
  exec 9>"$cache/lock"
  flock -n 9 || { say "waiting for another run to end"; flock 9; }
  rm -rf "$cache"/trees/.tmp.*

  for item in "${items[@]}"; do [[ -z "$(suite_of "$item")" ]] || prepare "$item"; done
  mapfile -t packages < <(not_installed)
  for item in "${items[@]}"; do ! missing "$item" || todo+=("$item"); done
  if [[ ${#packages[@]} -eq 0 && ${#todo[@]} -eq 0 ]]; then say "all there: $cache"; return; fi

  refresh "${packages[@]}" "${todo[@]}"
  [[ ${#packages[@]} -eq 0 ]] || install_host_packages "${packages[@]}"
  for item in "${todo[@]}"; do fetch_or_keep "$item"; done
  say "done: $cache"
}

main "$@"
