package main

import (
	"os"
	"strings"
	"testing"
)

// TestImageStory builds an image and looks at it with ls, cat and unpack.
func TestImageStory(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	s.write("hello", "hello\n")
	if status, _, errs := s.build("--nic", "virtio_net", "--fs", "ext4", "--file", "~/hello:/etc/hello"); status != 0 {
		t.Fatal(errs)
	}
	image := "~/out/initrd.img"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ls", image, "etc/*", "*alias"}, "etc/hello\nlib/modules/" + release + "/modules.alias\n"},
		{
			[]string{"ls", "-l", image, "/dev/console", "hello"},
			"Dcrw-------    0    0       5, 1 1970-01-01 00:00 dev/console\n-rw-r--r--     0    0          6 1970-01-01 00:00 etc/hello\n",
		},
		{[]string{"cat", image, "etc/hello", "/etc/hello"}, "hello\nhello\n"},
	} {
		if status, out, errs := s.run(c.args...); status != 0 || out != c.want || errs != "" {
			t.Errorf("%q: status %d, %s\n%s", c.args, status, errs, out)
		}
	}
	status, out, _ := s.run("ls", "--segments", image)
	if status != 0 || !strings.HasPrefix(out, "1: byte 0, ") || !strings.Contains(out, " bytes, zstd, unpacked ") {
		t.Errorf("status %d, %s", status, out)
	}
	status, out, errs := s.run("unpack", image, "~/there")
	if status != 0 || !strings.HasPrefix(out, "~/there: ") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	if data, err := os.ReadFile(s.path("there/etc/hello")); err != nil || string(data) != "hello\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestImageErrors(t *testing.T) {
	s := newStage(t)
	s.outDir("text")
	s.write("image", "070701")
	for _, c := range []struct{ args, want string }{
		{"ls ~/none", "read image ~/none: no such file or directory"},
		{"ls ~/out/initrd.img", "read image ~/out/initrd.img: segment 1 at byte 0: no initramfs: neither a cpio archive nor one that is compressed: it begins with 74 65 78 74"},
		{"cat ~/image x", "read image ~/image: segment 1 at byte 0: no initramfs: cut off in a cpio header"},
		{"ls", "requires at least 1 arg(s), only received 0"},
		{"cat ~/image", "requires at least 2 arg(s), only received 1"},
		{"unpack ~/image", "accepts 2 arg(s), received 1"},
	} {
		status, out, errs := s.run(strings.Fields(c.args)...)
		if status != 1 || out != "" || errs != "iscsiroot: "+c.want+"\n" {
			t.Errorf("%s: status %d, %s%s", c.args, status, out, errs)
		}
	}
	if status, _, errs := s.build(); status != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct{ args, want string }{
		{"ls ~/out/initrd.img [", "pattern [: syntax error in pattern"},
		{"cat ~/out/initrd.img none", "none: not in the image"},
		{"cat ~/out/initrd.img dev", "dev: not a regular file"},
		{"unpack ~/out/initrd.img ~/tree", "unpack into ~/tree: the directory is not empty: name a new one"},
	} {
		if status, _, errs := s.run(strings.Fields(c.args)...); status != 1 || errs != "iscsiroot: "+c.want+"\n" {
			t.Errorf("%s: status %d, %s", c.args, status, errs)
		}
	}
}
