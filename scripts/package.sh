#!/bin/bash
# package.sh dist|deb makes bin/iscsiroot-VERSION-linux-ARCH.tar.gz, or bin/iscsiroot_VERSION_ARCH.deb for Debian 12, for $ARCH,
# which is amd64 or arm64 and without which it is amd64. The same commit gives the same bytes, wherever and whenever: neither a
# path nor the clock goes in. Manual pages, completion and bill of materials are what the program itself prints.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C CGO_ENABLED=0
umask 022

arch="${ARCH:-amd64}"
VERSION="${VERSION:-$(scripts/version.sh)}"
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(scripts/version.sh time)}"
export VERSION SOURCE_DATE_EPOCH
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# programs DIR: both programs, for the machines.
programs() {
  GOARCH="$arch" scripts/gobuild.sh -o "$1/init" ./cmd/init
  GOOS='' GOARCH='' "${GO:-go}" run ./scripts/packinit "$1/init" cmd/iscsiroot/embedded/init.cpio.zst
  GOARCH="$arch" scripts/gobuild.sh -tags embedinit -o "$1/iscsiroot" ./cmd/iscsiroot
}

# papers DIR: what the program says of itself, by one that runs here.
papers() {
  local here="$1/iscsiroot"
  if [[ "$arch" != "$("${GO:-go}" env GOHOSTARCH)" ]]; then
    here="$work/here"
    scripts/gobuild.sh -tags embedinit -o "$here" ./cmd/iscsiroot
  fi
  "$here" man --output "$1/man"
  mkdir -p "$1/completion"
  "$here" completion bash >"$1/completion/iscsiroot"
  "$here" completion zsh >"$1/completion/_iscsiroot"
  "$here" completion fish >"$1/completion/iscsiroot.fish"
  "$here" version --sbom >"$1/iscsiroot.cdx.json"
  cp README.md LICENSE scripts/package/hosts.yaml "$1"
}

dist() {
  local name="iscsiroot-$VERSION-linux-$arch"
  mkdir "$work/$name"
  programs "$work/$name"
  papers "$work/$name"
  tar -C "$work" --sort=name --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
    --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw -c "$name" | gzip -9n >"$work/out"
  finish "bin/$name.tar.gz"
}

deb() {
  local root="$work/root" doc="$work/root/usr/share/doc/iscsiroot" page
  mkdir -p "$work/all" "$root"
  programs "$work/all"
  papers "$work/all"
  install -D -t "$root/usr/bin" "$work/all/iscsiroot"
  install -D -t "$root/usr/lib/iscsiroot" "$work/all/init"
  for page in "$work"/all/man/*/*; do
    install -D -m 644 "$page" "$root/usr/share${page#"$work/all"}"
    gzip -9n "$root/usr/share${page#"$work/all"}"
  done
  install -D -m 644 -t "$root/usr/share/bash-completion/completions" "$work/all/completion/iscsiroot"
  install -D -m 644 -t "$root/usr/share/zsh/vendor-completions" "$work/all/completion/_iscsiroot"
  install -D -m 644 -t "$root/usr/share/fish/vendor_completions.d" "$work/all/completion/iscsiroot.fish"
  install -D -m 644 -t "$doc" "$work/all/README.md" "$work/all/iscsiroot.cdx.json" scripts/package/copyright
  install -D -m 644 -t "$doc/examples" scripts/package/hosts.yaml
  changelog | gzip -9n >"$doc/changelog.Debian.gz"
  install -D -m 644 -t "$root/etc/iscsiroot" scripts/package/images
  install -D scripts/package/kernel-hook "$root/etc/kernel/postinst.d/iscsiroot"
  mkdir "$root/DEBIAN"
  printf '%s\n' /etc/iscsiroot/images /etc/kernel/postinst.d/iscsiroot >"$root/DEBIAN/conffiles"
  (cd "$root" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f 1)/" \
    scripts/package/control >"$root/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$root" "$work/out" >/dev/null
  finish "bin/iscsiroot_${VERSION}_$arch.deb"
}

changelog() {
  printf 'iscsiroot (%s) unstable; urgency=medium\n\n  * Made from this version of the sources.\n\n' "$VERSION"
  printf ' -- iscsiroot developers <iscsiroot@users.noreply.github.com>  %s\n' "$(TZ=UTC date -R -d "@$SOURCE_DATE_EPOCH")"
}

finish() {
  mkdir -p bin
  mv "$work/out" "$1"
  chmod 644 "$1"
  echo "$1: $(stat -c %s "$1") bytes, $(sha256sum "$1" | cut -d ' ' -f 1)"
}

case "${1:-}" in
  dist | deb) "$1" ;;
  *) echo "package: say dist or deb" >&2; exit 1 ;;
esac
