package initramfs_test

import (
	"github.com/u-root/u-root/pkg/cpio"
)

func dir(name string) cpio.Record { return cpio.Directory(name, 0o755) }

func file(name, text string) cpio.Record { return cpio.StaticFile(name, text, 0o644) }
