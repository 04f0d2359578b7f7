// Package filesystem finds which file system a device holds, and loads its driver.
package filesystem

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// TypesAhead are the file systems whose drivers are loaded while the network comes up: those that
// rootfstype= names, or the only one that the image holds. Of several it is ext4, because loading a
// wrong one can take longer than waiting for the right one: btrfs measures its checksums first.
func TypesAhead(given bootspec.Value[string], modules *kmod.Index) []string {
	if given.Given() {
		return strings.Split(given.V, ",")
	}
	held := map[string]string{} // type by module: ext4 is three
	for _, t := range fstypes.Roots() {
		if mods, _ := modules.Resolve("fs-" + t); len(mods) > 0 {
			held[mods[0].Name] = t
		}
	}
	var out []string
	for _, t := range held {
		if len(held) == 1 || t == "ext4" {
			out = append(out, t)
		}
	}
	return out
}

// Load loads a module by its name or alias.
type Load func(ctx context.Context, name string) error

// need loads the driver of a file system, unless it is registered.
func need(ctx context.Context, load Load, fstype string) error {
	if registered(fstype) {
		return nil
	}
	err := load(ctx, "fs-"+fstype)
	if err != nil && load(ctx, fstype) == nil { // a module without the alias
		err = nil
	}
	if err != nil && !registered(fstype) {
		return sequence.WithHint(fmt.Errorf("file system %s: %w", fstype, err), "build the image with --fs "+fstype)
	}
	return nil
}

// registered reports whether /proc/filesystems has a type.
func registered(fstype string) bool {
	f, err := os.Open("/proc/filesystems")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() { // "nodev\ttmpfs" or "\text4"
		if fields := strings.Fields(lines.Text()); len(fields) > 0 && fields[len(fields)-1] == fstype {
			return true
		}
	}
	return false
}

// Each calls mount for types, which are separated by commas, in their order, until one succeeds. It
// loads their drivers. The errors for a wrong or missing type lead to the next one, if there is
// one.
func Each(ctx context.Context, load Load, types string, mount func(fstype string) error) error {
	var first error
	var missing *modload.MissingError
	for t := range strings.SplitSeq(types, ",") {
		err := need(ctx, load, t)
		if err == nil {
			err = mount(t)
		}
		if err == nil || !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENODEV) && !errors.As(err, &missing) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}
