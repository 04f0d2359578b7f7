package main

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// newLs returns the ls command.
func newLs() *cobra.Command {
	var long, segments bool
	var limits archive.Limits
	cmd := &cobra.Command{
		Use:   "ls IMAGE [PATTERN...]",
		Short: "list what is in an initramfs",
		Long: `ls lists what the kernel makes of an initramfs, of whatever builder: all segments,
packed with gzip, bzip2, lzma, xz, lz4 or zstd, or not at all. A file of a later
segment replaces that of an earlier one.

A PATTERN selects names, as in a shell; one without a slash is compared with the
last part of a name. Entries of which the kernel makes nothing, or something else than
their names say, are listed on standard error.`,
		Example: "  iscsiroot ls -l initrd.img '*.ko'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := initramfs.Open(args[0], limits)
			if err != nil {
				return err
			}
			if segments {
				return printSegments(cmd.OutOrStdout(), t.Segments)
			}
			printOdd(cmd.ErrOrStderr(), t)
			return list(cmd.OutOrStdout(), t, args[1:], long)
		},
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "show mode, owner, size and time too")
	cmd.Flags().BoolVar(&segments, "segments", false, "list the segments that the image is made of instead")
	defineLimits(cmd.Flags(), &limits)
	return cmd
}

// printOdd prints the entries that are not, or not only, in the list.
func printOdd(w io.Writer, t *archive.Tree) {
	for _, o := range t.Odd {
		fmt.Fprintf(w, "iscsiroot: %s\n", o)
	}
	if t.MoreOdd > 0 {
		fmt.Fprintf(w, "iscsiroot: %d more entries like these\n", t.MoreOdd)
	}
}

// list prints the names that a pattern selects.
func list(w io.Writer, t *archive.Tree, patterns []string, long bool) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %s: %w", p, err)
		}
	}
	out := bufio.NewWriter(w)
	t.All(func(n *archive.Node) bool {
		if len(patterns) > 0 && !selected(n.Name, patterns) {
			return true
		}
		line := words.Plain(n.Name)
		if long {
			line = longLine(n)
		}
		_, err := fmt.Fprintln(out, line)
		return err == nil
	})
	return out.Flush()
}

func selected(name string, patterns []string) bool {
	for _, p := range patterns {
		p = strings.TrimPrefix(p, "/")
		against := name
		if !strings.Contains(p, "/") {
			against = path.Base(name)
		}
		if ok, _ := path.Match(p, against); ok || p == name {
			return true
		}
	}
	return false
}

// longLine describes a name as ls -l does.
func longLine(n *archive.Node) string {
	size := strconv.FormatInt(n.Length(), 10)
	name := words.Plain(n.Name)
	switch n.Type() {
	case archive.TypeChar, archive.TypeBlock:
		size = fmt.Sprintf("%d, %d", n.RMajor, n.RMinor)
	case archive.TypeSymlink:
		name += " -> " + words.Plain(string(n.Data()))
	}
	when := time.Unix(int64(n.MTime), 0).UTC().Format("2006-01-02 15:04")
	return fmt.Sprintf("%-11s %4d %4d %10s %s %s", n.FileMode(), n.UID, n.GID, size, when, name)
}

func printSegments(w io.Writer, segments []archive.Segment) error {
	for i, s := range segments {
		if _, err := fmt.Fprintf(w, "%d: byte %d, %d bytes, %s, unpacked %d bytes, %d entries\n",
			i+1, s.Offset, s.Length, s.Compression, s.Unpacked, s.Entries); err != nil {
			return err
		}
	}
	return nil
}
