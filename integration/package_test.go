package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The same sources give the same packages: in another directory, at another time, in another time
// zone and language. Both builds share the build cache; in TestSoakPackagesAreReproducible the
// second build has an empty one, and compiles the standard library too.
func TestPackagesAreReproducible(t *testing.T) { reproducible(t) }

// reproducible builds the packages twice, the second time with a changed environment.
func reproducible(t *testing.T, environ ...string) {
	begin(t)
	here, there := copySource(t), copySource(t)
	other := append(environ, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "LANG=de_DE.UTF-8")
	for _, what := range []string{"dist", "deb"} {
		one, two := makePackage(t, here, what), makePackage(t, there, what, other...)
		a, err := os.ReadFile(one)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(two)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("make %s: two builds of the same sources differ: %s has %d bytes, %s %d", what, one, len(a), two, len(b))
		}
		if what == "dist" {
			checkTarball(t, one)
		}
	}
}

// checkTarball checks that it is complete and that the programs run.
func checkTarball(t *testing.T, path string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", path, "--strip-components=1", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{
		"iscsiroot", "init", "LICENSE", "README.md", "hosts.yaml", "iscsiroot.cdx.json", "man/man8/iscsiroot.8", "man/man8/iscsiroot-build.8",
		"man/man8/iscsiroot-agent.8", "man/man7/iscsiroot-parameters.7", "man/man7/iscsiroot-failures.7", "man/man7/iscsiroot-shell.7",
		"man/man7/iscsiroot-netboot.7", "man/man7/iscsiroot-supported.7", "man/man7/iscsiroot-benchmarks.7", "completion/iscsiroot", "completion/_iscsiroot", "completion/iscsiroot.fish",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s in the tarball: %v", name, err)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "iscsiroot"), "pxe", filepath.Join(dir, "hosts.yaml"), filepath.Join(dir, "netboot")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "new tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-02\n") {
		t.Errorf("the example of a hosts file: %v\n%s", err, out)
	}
	bill, err := os.ReadFile(filepath.Join(dir, "iscsiroot.cdx.json"))
	for _, library := range []string{"pkg:golang/github.com/spf13/cobra@", "pkg:golang/github.com/vishvananda/netlink@"} {
		if err != nil || !bytes.Contains(bill, []byte(library)) { // iscsiroot links cobra, only init links netlink
			t.Errorf("the bill of materials has no %s: %v", library, err)
		}
	}
}

// The installed package on a Debian: the kernel hook does nothing until /etc/iscsiroot/images has
// entries, makes the images listed there, reports those it cannot make, and the administrator's
// changes survive another installation of the package.
func TestDebianPackage(t *testing.T) {
	begin(t)
	deb := makePackage(t, copySource(t), "deb")
	commands := `dpkg --install /deb/` + filepath.Base(deb) + `
iscsiroot version
version=$(ls /lib/modules)
echo kernel > /boot/vmlinuz-$version
hook() { run-parts --report --exit-on-error --arg="$version" --arg=/boot/vmlinuz-$version /etc/kernel/postinst.d; }
hook
test ! -e /srv/netboot
echo 'kernel /srv/netboot/vmlinuz-%v' >> /etc/iscsiroot/images
echo 'image --nic virtio_net --fs ext4 --default "iscsi_a=10.1.1.180 quiet" --output /srv/netboot/initrd-%v.img' >> /etc/iscsiroot/images
hook
cmp /boot/vmlinuz-$version /srv/netboot/vmlinuz-$version
iscsiroot cat /srv/netboot/initrd-$version.img etc/iscsiroot/default
iscsiroot ls /srv/netboot/initrd-$version.img | grep -c virtio_net.ko
sed -i '$ d' /etc/iscsiroot/images
rm -r /srv/netboot
printf 'image --nic none --output /srv/netboot/initrd\nimages\nkernel /srv/last' >> /etc/iscsiroot/images
hook || echo "hook failed: $?"
ls /srv/netboot /srv/last
dpkg --install /deb/` + filepath.Base(deb) + `
grep -c '^kernel' /etc/iscsiroot/images
. /usr/share/bash-completion/completions/iscsiroot
complete -p iscsiroot
gzip -t /usr/share/man/man8/iscsiroot-pxe.8.gz
iscsiroot man | sed -n 's/^\(iscsiroot[a-z-]*\)(\([78]\)) .*/\1.\2/p' > pages
test $(wc -l < pages) -ge 19
while read page; do gzip -t /usr/share/man/man${page##*.}/$page.gz; done < pages
dpkg --remove iscsiroot
hook
dpkg --purge iscsiroot
test ! -e /etc/iscsiroot
echo all done
`
	out, err := inDebian(t.Context(), t, "systemd", commands, map[string]string{filepath.Dir(deb): "/deb"})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := out
	for _, want := range []string{
		"iscsiroot 0~unknown\n", "/srv/netboot/vmlinuz-6.", "initrd-6.", "iscsi_a=10.1.1.180 quiet\n1\n",
		"module none: not in the module tree\n", "iscsiroot: /etc/iscsiroot/images: line 12: the image was not made\n",
		"line 13: there is no images: write kernel or image\n", "hook failed: 1\n", "/srv/last\n", "vmlinuz-6.", "\n2\n", "complete -o default -F", "all done\n",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %q after the texts before it in\n%s", want, out)
		}
		rest = after
	}
}
