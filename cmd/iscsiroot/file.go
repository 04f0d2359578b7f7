package main

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// parseFile takes the SRC[:DST] of --file. The last colon divides; without DST the file has the
// same absolute path in the image, and a DST that ends in a slash is the directory it goes into.
func parseFile(arg string) (initramfs.File, error) {
	src, dst := arg, ""
	i := strings.LastIndexByte(arg, ':')
	if i >= 0 {
		src, dst = arg[:i], arg[i+1:]
	}
	switch {
	case src == "":
		return initramfs.File{}, fmt.Errorf("--file %s: no source file named", arg)
	case i >= 0 && !path.IsAbs(dst):
		return initramfs.File{}, fmt.Errorf("--file %s: the path in the image, after the colon, must begin with a slash", arg)
	case i < 0:
		abs, err := filepath.Abs(src)
		if err != nil {
			return initramfs.File{}, fmt.Errorf("--file %s: %w", arg, err)
		}
		dst = abs
	case strings.HasSuffix(dst, "/"):
		dst += filepath.Base(src)
	}
	return initramfs.File{Path: dst, Source: src}, nil
}
