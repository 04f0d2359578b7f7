package integration

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// withFiles boots the default image with a second initrd appended.
func (r *rig) withFiles(line string, files images.Tree) *lab.Machine {
	r.t.Helper()
	first, err := os.ReadFile(virtio.build(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(r.t.TempDir(), "initrd")
	if err := images.WriteInitrd(path, files); err != nil {
		r.t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	for len(first)%4 != 0 { // the alignment of the next initrd
		first = append(first, 0)
	}
	if err := os.WriteFile(path, append(first, second...), 0o644); err != nil {
		r.t.Fatal(err)
	}
	return r.boot(image{path: path}, "", console+line)
}

func secretFile(text string) images.File { return images.File{Mode: 0o600, Content: []byte(text)} }

// searchWord is a word of the guest's script that searches for a text.
func searchWord(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return " hunt:" + string(b)
}

// chapTarget starts tgtd with CHAP, in both directions if c has both.
func (r *rig) chapTarget(c targets.CHAP, script string) {
	r.t.Helper()
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root(script)})
	cfg := r.targetConfig()
	cfg.LUNs, cfg.CHAP = map[int]string{1: r.disk.Path}, c
	if _, err := targets.StartTgtd(r.ctx, r.ns, cfg); err != nil {
		r.t.Fatal(err)
	}
}

// Mutual CHAP with a credentials file in a second initrd, at the second of two portals, whose name
// is in /etc/hosts. No secret is found in the guest; the kernel has the attributes that iscsid
// reads.
func TestCredentialsFile(t *testing.T) {
	r := newRig(t)
	r.chapTarget(mutual, searchWord(mutual.Secret)+searchWord(mutual.MutualSecret)+" chap")
	m := r.withFiles("rd.debug "+strings.Replace(seedLine, "iscsi_a=10.77.0.1", "iscsi_a=10.77.0.99,storage", 1), images.Tree{
		"etc/hosts": images.Text("10.77.0.1 storage\n"),
		"etc/iscsiroot/credentials": secretFile("# for remote1\niqn.2007-01.com.example:other x not-for-this-target\n" +
			targetName + " " + mutual.User + " " + mutual.Secret + " " + mutual.MutualUser + " " + mutual.MutualSecret + "\n"),
	})
	r.waitOff(m)
	r.checkShown(m, "login to "+targetName+" at 10.77.0.1:3260: session 1", "guest: session: persistent_address=10.77.0.1",
		"guest: session: username="+mutual.User, "guest: session: username_in="+mutual.MutualUser, "guest: chap: secrets of 19 and 20 bytes")
	if out := m.Output(); strings.Count(out, "files and the log were read") != 2 || strings.Contains(out, "guest: hunt: found") ||
		strings.Contains(out, mutual.Secret) || strings.Contains(out, mutual.MutualSecret) {
		t.Error("a secret was found")
	}
}

// Secrets on the command line are accepted with one warning; the only remaining copies are those
// that the kernel itself shows.
func TestSecretsOnTheCommandLine(t *testing.T) {
	r := newRig(t)
	r.chapTarget(mutual, searchWord(mutual.Secret))
	m := r.boot(virtio, "", console+"rd.debug "+seedLine+" iscsi_username="+mutual.User+" rd.iscsi.password="+mutual.Secret+
		" iscsi_U="+mutual.MutualUser+" iscsi_W="+mutual.MutualSecret)
	r.waitOff(m)
	r.checkShown(m, "guest: hunt: found in /proc/cmdline", "all users of this machine can read the secret in rd.iscsi.password= in /proc/cmdline: put it into /etc/iscsiroot/credentials")
	if n := strings.Count(m.Output(), "can read the secret in"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	for line := range strings.Lines(m.Output()) {
		if strings.Contains(line, "guest: hunt: found in ") && !strings.Contains(line, "/proc/cmdline") && !strings.Contains(line, "found in the log: \"Command line: ") &&
			!strings.Contains(line, "found in the log: \"Kernel command line: ") {
			t.Errorf("a secret is found where it must not be: %s", line)
		}
	}
}

// The first of two targets is unreachable. The other one, whose address comes from a name server,
// has root, and its login does not wait.
func TestUnreachableTarget(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	queried := r.nameServer("storage.example.com", "10.77.0.1")
	const dead = "iqn.2007-01.com.example:dead"
	m := r.boot(virtio, "", console+"iscsi_i="+initiator+" iscsi_i_ip=10.77.0.2/24 iscsi_t="+dead+" iscsi_a=10.77.0.1 iscsi_p=3261 iscsi_t.2="+targetName+
		" iscsi_a.2=storage.example.com:3260 iscsi_p.2=3260 nameserver=10.77.0.1 root=/dev/disk/by-path/ip-10.77.0.1:3260-iscsi-"+targetName+"-lun-1-part2")
	r.waitOff(m)
	r.checkShown(m, "login to "+targetName+" at 10.77.0.1:3260: session 2", "login to "+dead+" at 10.77.0.1:3261: connection refused",
		"target "+dead+" is not logged in: starting the real system without it", "guest: mount: /dev/sda2 / ext4 ro,")
	select {
	case <-queried:
	default:
		t.Error("the name server received no query")
	}
}

// nameServer answers queries for one name with one IPv4 address, and all others with no records
// (RFC 1035 section 4.1). The channel receives a value for each query.
func (r *rig) nameServer(name, addr string) <-chan struct{} {
	r.t.Helper()
	var conn net.PacketConn
	err := r.ns.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", "10.77.0.1:53")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	question := []byte{}
	for label := range strings.SplitSeq(name, ".") {
		question = append(append(question, byte(len(label))), label...)
	}
	question = append(question, 0, 0, 1, 0, 1) // type A, class IN
	queried := make(chan struct{}, 100)
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := bytes.IndexByte(buf[min(n, 12):n], 0) + 12 + 5 // of the name, with type and class
			if end > n {
				continue
			}
			q := buf[12:end]
			answer := slices.Clone(buf[:end])
			binary.BigEndian.PutUint16(answer[2:], 0x8180) // response, recursion
			clear(answer[6:12])
			if strings.EqualFold(string(q), string(question)) {
				answer[7] = 1 // one record: the name at 12, A, IN, 60 s, 4 bytes
				ip := netip.MustParseAddr(addr).As4()
				answer = append(append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), ip[:]...)
			}
			queried <- struct{}{}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return queried
}

// The boot waits for a LUN that is not ready; a write-protected LUN is reported before and after
// root is to be mounted read-write.
func TestLUNNotReady(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 8, Tree: root("")})
	target := r.tgtd()
	set := func(params string) {
		t.Helper()
		if out, err := target.Admin(r.ctx, "--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", params); err != nil {
			t.Fatal(out, err)
		}
	}
	set("readonly=1")
	set("online=0")
	m := r.boot(virtio, "", console+"iscsi_lun=1 rw "+seedLine)
	r.expect(m, "lun 1 of "+targetName+" is not ready: waiting for it")
	set("online=1")
	r.expect(m, "iscsiroot: disk sda is lun 1 of "+targetName+", write-protected", "iscsiroot: step mount failed after",
		"iscsiroot: hint: the LUN is write-protected: write ro instead of rw, or allow writes at the target")
}
