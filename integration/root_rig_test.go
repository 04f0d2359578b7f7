package integration

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// allFileSystems is an image with the modules of every file system, and with a driver for local
// disks, which init loads only with rd.driver.pre=.
var allFileSystems = sync.OnceValues(func() (string, error) {
	k, err := deps.FindKernel("amd64")
	if err != nil {
		return "", err
	}
	out := filepath.Join(built.dir, "initrd-any-root.img")
	_, err = initramfs.Build(context.Background(), initramfs.Config{
		Root: k.ModulesRoot, KernelVersion: k.Release, InitPath: built.init(), NICs: []string{"virtio_net"}, Drivers: []string{"virtio_blk"},
		Compression: initramfs.None,
	}, out)
	return out, err
})

// rootBoot boots the image allFileSystems with the HOWTO's command line and more.
func (r *rig) rootBoot(more string, args ...string) *lab.Machine {
	r.t.Helper()
	path, err := allFileSystems()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.start(image{path: path}, lab.MachineConfig{
		Append: "console=ttyS0 " + seedLine + " " + more, NICs: []lab.NIC{{Tap: r.tap}}, Args: args,
	})
}

// tool runs a program of the host.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Path, cmd.Err = sbin(name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: run scripts/deps.sh if it is missing\n%s", name, err, out)
	}
	return string(out)
}

// sbin finds a program also if PATH has no sbin.
func sbin(name string) (string, error) {
	if file, err := exec.LookPath(name); err == nil {
		return file, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// rootDir is root as a directory of the host, with further files.
func rootDir(t testing.TB, script string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"sbin", "etc", "dev", "proc", "sys", "run", "usr"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	guest, err := os.ReadFile(built.guest())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sbin/init"), guest, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/guest"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fsImage makes a file system in an image file, with the content of dir, or empty if dir is. mkfs
// is a command line without the image, which comes last unless {} stands for it; DIR stands for
// dir, and ~ for a blank in a word.
func fsImage(t testing.TB, mib int, dir, mkfs string) string {
	t.Helper()
	file := blank(t, mib)
	words := strings.Fields(mkfs)
	placed := false
	for i, w := range words {
		switch w {
		case "{}":
			words[i], placed = file, true
		case "DIR":
			words[i] = dir
		default:
			words[i] = strings.ReplaceAll(w, "~", " ")
		}
	}
	if !placed {
		words = append(words, file)
	}
	tool(t, words[0], words[1:]...)
	return file
}

// blank is an empty image; 0 MiB: a path without a file.
func blank(t testing.TB, mib int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	if mib == 0 {
		return file
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(mib)<<20); err != nil {
		t.Fatal(err)
	}
	return file
}

// partitioned makes a disk with a table from sfdisk's script, and copies images to where partitions
// begin, in MiB.
func partitioned(t testing.TB, mib int, script string, images map[int]string) string {
	t.Helper()
	disk := blank(t, mib)
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "sh", "-c", fmt.Sprintf("PATH=$PATH:/usr/sbin:/sbin; sfdisk -q %s <%s", disk, file))
	for at, image := range images {
		copyInto(t, disk, image, int64(at)<<20)
	}
	return disk
}

// copyInto copies an image into a disk, without blocks of zeros.
func copyInto(t testing.TB, disk, image string, at int64) {
	t.Helper()
	in, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(disk, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	buf := make([]byte, 1<<20)
	zero := string(make([]byte, 1<<20))
	for {
		n, err := io.ReadFull(in, buf)
		if n > 0 && string(buf[:n]) != zero[:n] {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				t.Fatal(err)
			}
		}
		at += int64(n)
		if err != nil {
			break
		}
	}
}

// serve exports an image as LUN 0 at gotgt.
func (r *rig) serve(path string) targets.Target {
	r.t.Helper()
	r.disk = &images.Disk{Path: path}
	return r.gotgt()
}

func sum(t testing.TB, path string) string {
	t.Helper()
	s, err := (&images.Disk{Path: path}).SHA256()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
