package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// formatsDeadline is for checkers, and a tgtd in a chroot.
const formatsDeadline = 5 * time.Minute

// oddMachine is a machine of a hosts file with values that are odd and legal.
type oddMachine struct {
	name, address, target, disk string
	more                        string // fields, a line each
	credentials                 string // user and secrets; empty: none
}

var oddMachines = []oddMachine{
	{name: "set", address: "10.1.1.2/24", target: "iqn.x:set", disk: "plain.img"},
	{name: "d", address: "10.1.1.3/255.255.255.0", target: "iqn.x:a.b:c-d", disk: "a=b_c+d@e%f~g:h.img", more: "gateway: 10.1.1.1\n"},
	{name: "4y", address: "10.1.2.0/31", target: "eui.0123456789abcdef", disk: "h[1](2)!*?.img", more: "gateway: 10.1.2.1\n"},
	{name: "Ab--c", address: "10.1.3.255/32", target: "iqn.x:ab", disk: "ab.img", more: "gateway: 10.1.3.1\nlun: 16383\n"},
	{name: "xn--bcher-kva", address: "10.1.4.255/23", target: "iqn.x:t", disk: "^.img", more: "portals: 'san.example:65535'\n"},
	{name: "eth0", address: "2001:db8::7/64", target: "iqn.x:v6", disk: "v6.img", more: "gateway: fe80::1\nportals: ['[2001:db8::1]:1', 2001:db8::2]\n"},
	{name: "ipxe", address: "10.1.5.2/24", target: "iqn.x:ipxe", disk: "ipxe.img", credentials: "u=1 a=b+c+d@e%f/^g._:-"},
	{name: "known", address: "10.1.6.2/24", target: "iqn.x:known", disk: "known.img", credentials: `user@2 twelve-bytes-12 "" back-bytes-123`},
	{name: "left-out", address: "10.1.7.2/24", target: "iqn.x:left-out", disk: "left-out.img", credentials: `"ü 3" "open; sesame <12>"`},
	{name: strings.Repeat("a", 63), address: "10.1.8.2/24", target: "iqn.x:" + strings.Repeat("t", 217), disk: "long.img", more: "append: 'a=b#c d=(1)* -- 3'\n"},
}

const oddHead = `server: 10.77.0.1
http: http://10.77.0.1:8080/a,b
loader: ipxe
defaults:
  initiator: iqn.x:server.{name}
  portals: 10.77.0.2
  kernel: a+b=c@d~e/vmlinuz.0
  initrd: a/initrd.c32
hosts:
`

// writeOdd writes the files for all odd machines into a directory with an odd name, and returns it.
func writeOdd(t *testing.T) string {
	t.Helper()
	source := t.TempDir()
	var hosts, secrets strings.Builder
	hosts.WriteString(oddHead)
	for i, m := range oddMachines {
		fmt.Fprintf(&hosts, "  - name: %s\n    mac: 02:00:00:00:00:%02x\n    address: %s\n    target: %s\n    disk: '/srv/odd/%s'\n", m.name, i, m.address, m.target, m.disk)
		for line := range strings.Lines(m.more) {
			hosts.WriteString("    " + line)
		}
		if m.credentials != "" {
			hosts.WriteString("    chap: secrets\n")
			secrets.WriteString(m.target + " " + m.credentials + "\n")
		}
	}
	for name, text := range map[string]string{"hosts.yaml": hosts.String(), "secrets": secrets.String()} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(source, `net boot, "a" #1`)
	pxe(t, filepath.Join(source, "hosts.yaml"), dir)
	return dir
}

// The programs that read what pxe writes find nothing wrong with files for machines whose values
// are odd and legal; tgtd has the targets, disks, initiators and users afterwards.
func TestGeneratedFilesAreRead(t *testing.T) {
	begin(t)
	ctx, cancel := context.WithTimeout(t.Context(), formatsDeadline)
	defer cancel()
	dir := writeOdd(t)
	check := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
			t.Errorf("%s %q: %v; is it installed by scripts/deps.sh?\n%s", program, args, err, out)
		}
	}
	check("dnsmasq", "--test", "--conf-file="+filepath.Join(dir, "dnsmasq.conf"))
	scripts, err := filepath.Glob(filepath.Join(dir, "tftp/grub/*"))
	if err != nil || len(scripts) != len(oddMachines)+1 {
		t.Errorf("%d scripts of GRUB, %v", len(scripts), err)
	}
	for _, name := range scripts {
		check("grub-script-check", name)
	}
	checkLIO(t, filepath.Join(dir, "lio.json"))
	checkTGT(ctx, t, filepath.Join(dir, "tgt.conf"))
}

// checkLIO reads the targets' names and disks.
func checkLIO(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Storage []struct{ Dev string } `json:"storage_objects"`
		Targets []struct{ WWN string }
	}
	if err := json.Unmarshal(text, &c); err != nil || len(c.Targets) != len(oddMachines) || len(c.Storage) != len(oddMachines) {
		t.Fatalf("lio.json: %d targets, %v", len(c.Targets), err)
	}
	for i, m := range oddMachines {
		if c.Targets[i].WWN != m.target || c.Storage[i].Dev != "/srv/odd/"+m.disk {
			t.Errorf("%s: %+v %+v", m.name, c.Targets[i], c.Storage[i])
		}
	}
}

// checkTGT gives a tgtd the configuration and reads from it what it has.
func checkTGT(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	disks := t.TempDir()
	for _, m := range oddMachines {
		if err := os.WriteFile(filepath.Join(disks, m.disk), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	conf := t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "tgt.conf"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	const commands = `tgtd
until tgtadm --mode sys --op show >/dev/null 2>&1; do sleep 0.2; done
tgt-admin --execute --conf /root/conf/tgt.conf
tgtadm --lld iscsi --mode target --op show
`
	out, err := inDebian(ctx, t, "room", commands, map[string]string{disks: "/srv/odd", conf: "/root/conf"})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range oddMachines {
		_, shown, found := strings.Cut(out, ": "+m.target+"\n")
		if m.name == "left-out" {
			if found {
				t.Errorf("tgtd has a target without its secret:\n%s", out)
			}
			continue
		}
		shown, _, _ = strings.Cut(shown, "\nTarget ")
		shown += "\n"
		own, _, _ := strings.Cut(m.address, "/")
		wanted := []string{"Backing store path: /srv/odd/" + m.disk, "iqn.x:server." + m.name, own}
		if user, _, ok := strings.Cut(m.credentials, " "); ok {
			wanted = append(wanted, "Account information:\n        "+user)
		}
		if strings.Contains(m.credentials, "back-") {
			wanted = append(wanted, m.target+" (outgoing)")
		}
		for _, want := range wanted {
			if !strings.Contains(shown, want+"\n") {
				t.Errorf("%s: no %s in tgtd's\n%s", m.name, want, shown)
			}
		}
	}
}
