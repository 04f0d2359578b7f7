package initramfs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

func TestKernelRelease(t *testing.T) {
	kernel, err := deps.FindKernel("amd64")
	if err != nil {
		t.Fatal(err) // it names the command to run
	}
	dir := t.TempDir()
	banner := "\x00Linux version %s (%s)\x00Linux version 6.1.0-9-arm64 (debian) #1\n"
	writeFile(t, dir+"/Image", []byte(banner))
	writeFile(t, dir+"/vmlinuz", pack(t, ".gz", []byte(banner)))
	writeFile(t, dir+"/old", []byte(strings.Repeat("x", 0x202)+"HdrS\x00\x00\x00\x00\x00\x00\x00\x00\x10\x002.6.17-5mdv (x)"))
	tree := newTree(t)
	for name, want := range map[string]string{
		kernel.Image: kernel.Release, filepath.Join(tree, "lib/modules", release): release, filepath.Join(tree, "lib/modules", release) + "/": release,
		dir + "/Image": "6.1.0-9-arm64", dir + "/vmlinuz": "6.1.0-9-arm64", dir + "/old": "2.6.17-5mdv",
	} {
		if got, err := initramfs.KernelRelease(name); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	writeFile(t, dir+"/text", []byte("Linux version none"))
	for name, want := range map[string]string{
		dir + "/none": "no such file or directory", dir: "there is no modules.dep in it: no such file or directory",
		dir + "/text": "its release is not to be found in it: give --kernel-version",
	} {
		if _, err := initramfs.KernelRelease(name); err == nil || err.Error() != "kernel "+name+": "+want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
