//go:build linux

package modload

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

func TestMissingError(t *testing.T) {
	for _, c := range []struct {
		err        MissingError
		text, hint string
	}{
		{
			MissingError{Name: "iscsi-tcp", Release: "6.1.0", Dir: "/lib/modules/6.1.0", Held: []string{"ext4", "jbd2"}},
			"module iscsi-tcp: not built into the running kernel 6.1.0, and the image holds only ext4, jbd2 for it in /lib/modules/6.1.0",
			"build the image again with iscsiroot build --kernel-version 6.1.0, which always includes it",
		},
		{
			MissingError{Name: "fs-ext4", Release: "6.1.0", Dir: "/lib/modules", Held: make([]string, 9)},
			"module fs-ext4: not built into the running kernel 6.1.0, and the image holds 9 modules for it in /lib/modules",
			"build the image again with iscsiroot build --kernel-version 6.1.0 --fs ext4",
		},
		{
			MissingError{Name: "quota_v2"},
			"module quota_v2: not built into the running kernel, and the image holds no modules for it",
			"build the image again with iscsiroot build --add-drivers quota_v2",
		},
		{
			MissingError{Name: "e1000", Release: "6.1.0", File: "/lib/modules/6.1.0/kernel/e1000.ko"},
			"module e1000: for the running kernel 6.1.0 the index names /lib/modules/6.1.0/kernel/e1000.ko, which the image does not hold",
			"build the image again with iscsiroot build --kernel-version 6.1.0 --add-drivers e1000",
		},
	} {
		if got := c.err.Error(); got != c.text {
			t.Errorf("got  %s\nwant %s", got, c.text)
		}
		if got := c.err.Hint(); got != c.hint {
			t.Errorf("got  %s\nwant %s", got, c.hint)
		}
		var nf *kmod.NotFoundError
		if !errors.As(&c.err, &nf) || nf.Name != c.err.Name || !errors.Is(&c.err, fs.ErrNotExist) {
			t.Errorf("%s is not a *kmod.NotFoundError", c.err.Name)
		}
	}
}

func TestLoadErrorExplainsTheKernelOnly(t *testing.T) {
	for errno, words := range refusals {
		refused := &LoadError{Module: "a", Path: "/a.ko", Err: errno, refused: true}
		if !strings.Contains(refused.Error(), words.cause) || refused.Hint() != words.hint || words.hint == "" {
			t.Errorf("%v: %v, hint %q", errno, refused, refused.Hint())
		}
	}
	unread := &LoadError{Module: "a", Path: "/a.ko", Err: unix.ENOENT}
	if unread.Error() != "load module a: /a.ko: no such file or directory" || unread.Hint() != "" {
		t.Errorf("%v, hint %q", unread, unread.Hint())
	}
}
