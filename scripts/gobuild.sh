#!/bin/bash
# gobuild.sh ARGUMENTS...: go build as we release it, without cgo, symbols and paths of this machine; VERSION in the environment
# is what iscsiroot says of itself. What a boot does not run or runs once is compiled without inlining, which takes 120 KB off
# each image and 300 KB off init, and costs the boot nothing: all of init without it costs 8 %. Functions begin at multiples of
# 16 bytes, as on arm64 by default, instead of amd64's 32 (cmd/link/internal/amd64/l.go), which takes 100 KB of gaps out of init.
set -euo pipefail
readonly ours=(
  boot/... dm/... lvm md/... rootfs/... shell/... network/... bootspec ibft handover shutdown recovery/... session iscsi/... status cmdline
  blockdev clock fstypes modload switchroot udevdb uevent kmsg words procstat runstate mounts contain kmod redundancy multipath
)
readonly others=(
  mvdan.cc/sh/v3/... github.com/klauspost/... github.com/ulikunitz/xz/... github.com/vishvananda/... github.com/u-root/...
  github.com/insomniacslk/dhcp/... github.com/pierrec/lz4/v4/... golang.org/x/term golang.org/x/sync/... golang.org/x/sys/unix
  net net/netip vendor/golang.org/x/net/dns/dnsmessage os/exec os/user path/filepath bufio encoding/binary reflect regexp
  regexp/syntax text/tabwriter log fmt time
)
aside=("${ours[@]/#/github.com/iscsiroot/iscsiroot/pkg/}" "${others[@]}")
flags=()
for pattern in "${aside[@]}"; do flags+=("-gcflags=$pattern=-l"); done
exec env CGO_ENABLED=0 "${GO:-go}" build -trimpath -buildvcs=false -ldflags="-s -w -funcalign=16${VERSION:+ -X main.version=$VERSION}" "${flags[@]}" "$@"
