package repo_test

import (
	"slices"
	"strings"
	"testing"
)

// linked is every package that cmd/init links, with the reason. Of the standard library it is what
// fmt and os do not import. Each package makes the image larger.
var linked = map[string]string{
	// ours
	"cmd/init":              "wiring of PID 1",
	"pkg/blockdev":          "finds our disks and what they hold",
	"pkg/boot":              "the list of steps, and PID 1",
	"pkg/boot/debug":        "the conversation with a person: shell, retry, offers, break points",
	"pkg/boot/drivers":      "loads modules",
	"pkg/boot/login":        "has the sessions until the agent has them",
	"pkg/boot/netup":        "brings the network up",
	"pkg/boot/sequence":     "runs the steps",
	"pkg/bootspec":          "the meaning of the parameters",
	"pkg/clock":             "the time since boot, by which leases are dated",
	"pkg/cmdline":           "the words of the command line",
	"pkg/contain":           "a panic in a goroutine does not end PID 1",
	"pkg/ibft":              "the firmware's table",
	"pkg/iscsi":             "the login",
	"pkg/network/dhcp":      "the lease, from which bootspec takes the root path",
	"pkg/iscsi/kernel":      "hands the session to the kernel",
	"pkg/iscsi/portal":      "why a portal cannot be reached, in words",
	"pkg/fstypes":           "the file systems that root may be on",
	"pkg/glob":              "patterns of modules.alias and of .link files",
	"pkg/kmod":              "which modules in which order",
	"pkg/kmsg":              "the log",
	"pkg/modload":           "loads modules",
	"pkg/mounts":            "the kernel's tables of mounts",
	"pkg/multipath":         "which disks are paths to one LUN, and their names",
	"pkg/network":           "link, address, route",
	"pkg/network/dns":       "looks host names up",
	"pkg/network/dhcp4":     "addresses from DHCP servers",
	"pkg/network/dhcp6":     "addresses from routers and DHCPv6 servers",
	"pkg/network/linkfile":  "the names that systemd's .link files give NICs",
	"pkg/network/rtwatch":   "what the kernel multicasts of links, addresses and neighbours",
	"pkg/redundancy":        "a mirror goes on without the disk of a target that is away",
	"pkg/session":           "login and hand-over of a session",
	"pkg/shell":             "the debug shell",
	"pkg/shell/control":     "what it and PID 1 say to each other",
	"pkg/shell/crypt":       "its password",
	"pkg/shell/verb":        "its commands",
	"pkg/handover":          "tells the real system's network managers what carries root",
	"pkg/recovery":          "keeps the sessions alive",
	"pkg/recovery/agent":    "the processes that stay after the switch",
	"pkg/recovery/disks":    "keeps their disks' retries and time-outs as they have to be",
	"pkg/recovery/legs":     "takes a leg of LVM's raids back that was away",
	"pkg/recovery/mirrors":  "ends the session of a mirror's leg, and takes a member of md back",
	"pkg/recovery/paths":    "keeps multipath maps alive",
	"pkg/recovery/uplink":   "keeps the network by which the boot reached its targets",
	"pkg/dm":                "device-mapper, for root on LVM",
	"pkg/dm/table":          "tables of device-mapper",
	"pkg/lvm":               "the metadata of LVM, whose volumes root may be on",
	"pkg/md":                "the superblocks of md arrays, on which root may be",
	"pkg/md/array":          "md arrays of the kernel",
	"pkg/rootfs":            "finds root and mounts it",
	"pkg/rootfs/arrays":     "finds root's md array and starts it",
	"pkg/rootfs/calls":      "the system calls that wait for a target",
	"pkg/rootfs/filesystem": "finds root's file system and loads its driver",
	"pkg/rootfs/maps":       "multipath maps of the sessions' disks",
	"pkg/rootfs/reads":      "reads that end with their session",
	"pkg/rootfs/scan":       "scans the sessions for their LUNs",
	"pkg/rootfs/stack":      "runs the layers between disks and root",
	"pkg/rootfs/volumes":    "finds root's logical volume and activates it",
	"pkg/udevdb":            "tells the real system's udev of root's logical volume",
	"pkg/runstate":          "the files below /run/iscsiroot",
	"pkg/shutdown":          "brings the machine down in order",
	"pkg/status":            "tells people how the sessions are",
	"pkg/switchroot":        "leaves the initramfs",
	"pkg/procstat":          "reads which processes run, are stopped or have ended",
	"pkg/regular":           "a FIFO in place of a file does not stop the boot",
	"pkg/words":             "reads the agent's state back without fmt's scanning, which is 50 KB",
	"pkg/uevent":            "waits for devices without polling",

	// others'
	"github.com/insomniacslk/dhcp/dhcpv4":                "the messages of DHCPv4; 60 KB with the next nine",
	"github.com/insomniacslk/dhcp/iana":                  "part of dhcpv4",
	"github.com/insomniacslk/dhcp/interfaces":            "part of dhcpv4",
	"github.com/insomniacslk/dhcp/rfc1035label":          "part of dhcpv4",
	"github.com/pierrec/lz4/v4":                          "part of uio",
	"github.com/pierrec/lz4/v4/internal/lz4block":        "part of uio",
	"github.com/pierrec/lz4/v4/internal/lz4errors":       "part of uio",
	"github.com/pierrec/lz4/v4/internal/lz4stream":       "part of uio",
	"github.com/pierrec/lz4/v4/internal/xxh32":           "part of uio",
	"github.com/u-root/uio/rand":                         "part of dhcpv4",
	"github.com/u-root/uio/uio":                          "part of dhcpv4",
	"github.com/klauspost/compress":                      "zstd of modules, for kmodule",
	"github.com/klauspost/compress/flate":                "pgzip's decoder",
	"github.com/klauspost/compress/fse":                  "part of zstd",
	"github.com/klauspost/compress/huff0":                "part of zstd",
	"github.com/klauspost/compress/internal/cpuinfo":     "part of zstd",
	"github.com/klauspost/compress/internal/le":          "part of zstd",
	"github.com/klauspost/compress/internal/regmask":     "part of flate",
	"github.com/klauspost/compress/internal/snapref":     "part of zstd",
	"github.com/klauspost/compress/zstd":                 "modules compressed with zstd where the kernel cannot unpack them",
	"github.com/klauspost/compress/zstd/internal/xxhash": "part of zstd",
	"github.com/klauspost/pgzip":                         "modules compressed with gzip, for kmodule",
	"github.com/u-root/u-root/pkg/kmodule":               "finit_module and what the kernel cannot unpack itself",
	"github.com/u-root/u-root/pkg/mount":                 "mounts and their flags",
	"github.com/ulikunitz/xz":                            "modules compressed with xz, which is Debian's choice, for kmodule",
	"github.com/ulikunitz/xz/internal/hash":              "part of xz",
	"github.com/ulikunitz/xz/internal/xlog":              "part of xz",
	"github.com/ulikunitz/xz/lzma":                       "part of xz",
	"github.com/vishvananda/netlink":                     "rtnetlink: links, addresses, routes and their events",
	"github.com/vishvananda/netlink/nl":                  "part of netlink",
	"github.com/vishvananda/netns":                       "part of netlink",
	"golang.org/x/sync/errgroup":                         "part of kmodule",
	"golang.org/x/sys/unix":                              "the kernel's calls and constants",
	"golang.org/x/term":                                  "editing a line in the shell",
	"mvdan.cc/sh/v3/expand":                              "part of the shell's interpreter",
	"mvdan.cc/sh/v3/fileutil":                            "part of the shell's interpreter",
	"mvdan.cc/sh/v3/internal":                            "part of the shell's interpreter",
	"mvdan.cc/sh/v3/interp":                              "interprets what is typed at the shell; 1.1 MiB with all its parts, 0.4 in the image",
	"mvdan.cc/sh/v3/pattern":                             "part of the shell's interpreter",
	"mvdan.cc/sh/v3/syntax":                              "part of the shell's interpreter",

	// the standard library's
	"bufio":           "reads lines",
	"bytes":           "works on bytes",
	"compress/flate":  "constants for klauspost/compress/flate",
	"context":         "deadlines and cancelling of steps",
	"crypto":          "types for crypto/sha256",
	"crypto/cipher":   "part of crypto/rand",
	"crypto/fips140":  "part of crypto/rand",
	"crypto/md5":      "CHAP, the one hash that every target knows",
	"crypto/rand":     "challenges of mutual CHAP only: it can wait for entropy; part of zstd's encoder",
	"crypto/sha1":     "CHAP",
	"crypto/sha256":   "CHAP, and xz's checksum",
	"crypto/sha3":     "CHAP",
	"crypto/sha512":   "the password of the shell",
	"crypto/subtle":   "part of crypto/rand",
	"encoding/base64": "binary values of text keys (RFC 7143 section 6.1)",
	"encoding/binary": "PDUs and superblocks",
	"encoding/hex":    "binary values of text keys (RFC 7143 section 6.1)",
	"hash":            "types of checksums",
	"hash/crc32":      "checksums of file systems and xz",
	"hash/crc64":      "xz's checksum",
	"io/ioutil":       "part of netlink",
	"log":             "part of netlink and zstd; init logs by pkg/kmsg",
	"log/internal":    "part of log",
	"maps":            "part of zstd and kmod",
	"math/big":        "part of crypto/rand",
	"math/rand":       "part of math/big",
	"math/rand/v2":    "jitter of retries, without entropy",
	"net":             "the connection to the target, and addresses in netlink",
	"net/netip":       "addresses as values",
	"os/exec":         "programs of the image in the shell, a process of its own; see TestOnlyShellImportsExec",
	"os/signal":       "PID 1 catches every signal",
	"os/user":         "part of the shell's interpreter",
	"path/filepath":   "paths in sysfs",
	"regexp":          "grep, and part of the shell's interpreter",
	"regexp/syntax":   "part of regexp",
	"runtime/debug":   "the stack of a panic",
	"sort":            "part of many",
	"strings":         "works on strings",
	"text/tabwriter":  "part of the shell's interpreter",
	"unicode/utf16":   "names of GPT partitions, labels",
	"unique":          "part of net/netip",
	"weak":            "part of unique",
}

// banned may never be linked, for any reason (design decision 16): each undoes every other saving
// in size.
var banned = map[string]string{
	"encoding/json": "it brings reflection on every type, about 0.5 MiB; write the few values by hand",
	"log/slog":      "it links encoding/json; log with pkg/kmsg",
	"net/http":      "it brings TLS and HTTP/2, several MiB",
	"text/template": "it keeps every exported method of the program; use fmt",
}

// TestOnlyShellImportsExec keeps os/exec out of what PID 1 runs itself: it reaps every child, which
// takes os/exec's from it.
func TestOnlyShellImportsExec(t *testing.T) {
	all := imports(t)
	for line := range strings.Lines(goCommand(t, nil, "list", "-deps", "./cmd/init")) {
		pkg := strings.TrimPrefix(strings.TrimSpace(line), module+"/")
		if pkg != "pkg/shell" && slices.Contains(all[pkg], "os/exec") {
			t.Errorf("%s imports os/exec: use boot's reaper with syscall.ForkExec", pkg)
		}
	}
	if !slices.Contains(all["pkg/shell"], "os/exec") {
		t.Error("pkg/shell does not import os/exec: this test looks at nothing")
	}
}

func TestLinkedIntoInit(t *testing.T) {
	always := map[string]bool{}
	for _, pkg := range strings.Fields(goCommand(t, nil, "list", "-deps", "fmt", "os")) {
		always[pkg] = true
	}
	got := map[string]bool{}
	for line := range strings.Lines(goCommand(t, nil, "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}}", "./cmd/init")) {
		pkg, standard, _ := strings.Cut(strings.TrimSpace(line), " ")
		// The insides of the standard library are its own business.
		inside := strings.HasPrefix(pkg, "vendor/") || strings.HasPrefix(pkg, "internal/") || strings.Contains(pkg, "/internal/")
		if standard == "true" && (always[pkg] || inside) {
			continue
		}
		got[strings.TrimPrefix(pkg, module+"/")] = true
	}
	for _, pkg := range sorted(got) {
		if why := banned[pkg]; why != "" {
			t.Errorf("init links %s, which is banned: %s\nfind out who imports it: go list -deps -f '{{.ImportPath}}: {{.Imports}}' ./cmd/init", pkg, why)
		} else if linked[pkg] == "" {
			t.Errorf("init links %s, which is new: if it is worth its size, add it with the reason to the table in linked_test.go", pkg)
		}
	}
	for _, pkg := range sorted(linked) {
		if !got[pkg] {
			t.Errorf("init no longer links %s: remove it from the table in linked_test.go", pkg)
		}
		if banned[pkg] != "" {
			t.Errorf("%s is banned and has a reason to be linked: it can be one of both", pkg)
		}
	}
}
