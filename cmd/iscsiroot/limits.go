package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// limitOptions are the options that raise the limits of an image, by the limit.
var limitOptions = map[string]string{
	archive.LimitUnpacked: "max-unpacked", archive.LimitEntries: "max-entries", archive.LimitMemory: "max-memory",
}

// defineLimits defines the options by which a command takes larger images.
func defineLimits(fs *pflag.FlagSet, l *archive.Limits) {
	*l = archive.DefaultLimits
	fs.Var((*mebibytes)(&l.Unpacked), "max-unpacked", "take an image that unpacks to `MIB` or less")
	fs.IntVar(&l.Entries, "max-entries", l.Entries, "take an image of `N` entries or less")
	fs.Var((*mebibytes)(&l.Memory), "max-memory", "take an image that needs `MIB` of memory or less")
}

// mebibytes is an option in MiB, and a number of bytes.
type mebibytes int64

// String returns MiB.
func (m *mebibytes) String() string { return strconv.FormatInt(int64(*m)>>20, 10) }

// Type names the kind of value for pflag.
func (m *mebibytes) Type() string { return "MiB" }

// Set takes MiB.
func (m *mebibytes) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64>>20 {
		return errors.New("not a number of MiB")
	}
	*m = mebibytes(n << 20)
	return nil
}

// withOption adds to an error about a limit the option that raises it.
func withOption(err error) error {
	var limit *archive.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	return fmt.Errorf("%w: raise it with --%s", err, limitOptions[limit.Limit])
}
