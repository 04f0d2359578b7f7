package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// pxeHosts is one machine with a secret.
const pxeHosts = `server: 10.77.0.1
hosts:
  - name: remote1
    mac: 52:54:00:77:00:01
    address: 10.77.0.2/24
    initiator: ` + initiator + `
    target: ` + targetName + `
    portals: 10.77.0.1
    lun: 1
    chap: secrets
    root: /dev/sda2
    kernel: vmlinuz
    initrd: initrd.img
    append: console=ttyS0 module.sig_enforce=1
`

// The files that pxe writes for PXELINUX boot: the common image, and appended to it the machine's
// own image with its CHAP secret. The secret is on no command line. The kernel accepts the modules
// of the image, whose signatures are intact.
func TestSecretInASecondInitrd(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	c := r.targetConfig()
	c.LUNs = map[int]string{1: r.disk.Path}
	c.CHAP = targets.CHAP{User: "remote1", Secret: "open-sesame-12"}
	if _, err := targets.StartTgtd(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	dir := r.writeFile("hosts.yaml", []byte(pxeHosts))
	if err := os.WriteFile(filepath.Join(dir, "secrets"), []byte(targetName+" remote1 open-sesame-12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line, secret := pxeFiles(t, filepath.Join(dir, "hosts.yaml"), filepath.Join(dir, "out"))
	common, err := os.ReadFile(virtio.build(t))
	if err != nil {
		t.Fatal(err)
	}
	common = append(common, make([]byte, -len(common)&3)...) // as a boot loader aligns what follows
	both := r.writeFile("initrd", append(common, secret...))
	m := r.boot(image{path: filepath.Join(both, "initrd")}, "", line)
	r.expect(m, "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	if strings.Contains(m.Output(), "open-sesame-12") {
		t.Error("the console shows the secret")
	}
}

// pxeFiles writes a tree and returns the parameters that PXELINUX passes to the machine, and the
// machine's own image.
func pxeFiles(t *testing.T, hosts, dir string) (line string, secret []byte) {
	t.Helper()
	pxe(t, hosts, dir)
	text, err := os.ReadFile(filepath.Join(dir, "tftp/pxelinux.cfg/01-52-54-00-77-00-01"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "\n   APPEND initrd=/initrd.img,/secrets/remote1.img ")
	if !ok {
		t.Fatalf("no APPEND in\n%s", text)
	}
	line, _, _ = strings.Cut(line, "\n")
	secret, err = os.ReadFile(filepath.Join(dir, "tftp/secrets/remote1.img"))
	if err != nil {
		t.Fatal(err)
	}
	return line, secret
}
