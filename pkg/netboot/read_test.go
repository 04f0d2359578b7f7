package netboot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seed describes the HOWTO's machine and another one with everything that can be said.
const seed = `# the room
server: 10.1.1.1
defaults:
  initiator: iqn.2007-01.com.example:server.{name}
  target: iqn.2007-01.com.example:storage.{name}
  portals: 10.1.1.180
  kernel: remote/vmlinuz-2.6.17-5mdv
  initrd: remote/initrd.img
hosts:
  - name: remote1
    mac: aa:bb:cc:dd:ee:fe
    address: 10.1.1.165/255.255.255.192
  - name: remote2
    mac: AA-BB-CC-DD-EE-02
    address: 10.1.1.166/26
    gateway: 10.1.1.129
    portals: [10.1.1.180:3261, "[2001:db8::1]"]
    lun: 2
    chap: secrets
    root: LABEL=root
    append: [quiet, "console=ttyS0"]
    disk: /srv/{name}-{mac}.img
`

const secretLine = "iqn.2007-01.com.example:storage.remote2 user \"sesame-open\" back door-door-door"

// secrets is a file of secrets.
func secrets(name string) ([]byte, error) {
	if name != "secrets" {
		return nil, os.ErrNotExist
	}
	return []byte("# secrets\n" + secretLine + "\n"), nil
}

func room(t testing.TB, text string) *Room {
	t.Helper()
	r, err := parse("hosts.yaml", []byte(text), secrets)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCommandLines(t *testing.T) {
	r := room(t, seed)
	want := []string{
		"iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_i_ip=10.1.1.165/26 iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_a=10.1.1.180",
		"iscsi_i=iqn.2007-01.com.example:server.remote2 iscsi_i_ip=10.1.1.166/26 iscsi_t=iqn.2007-01.com.example:storage.remote2 iscsi_a=10.1.1.180:3261,2001:db8::1 iscsi_lun=2 iscsi_gw=10.1.1.129 root=LABEL=root quiet console=ttyS0",
	}
	for i, h := range r.Hosts {
		if diff := cmp.Diff(want[i], h.commandLine()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", h.Name, diff)
		}
	}
	h := r.Hosts[1]
	if h.Disk != "/srv/remote2-aa-bb-cc-dd-ee-02.img" || h.MAC != "aa:bb:cc:dd:ee:02" || h.secret != secretLine+"\n" {
		t.Errorf("%+v", h)
	}
	if got := h.rootPath(); got != "iscsi:10.1.1.180::3261:0002-0000-0000-0000:iqn.2007-01.com.example:storage.remote2" {
		t.Errorf("root path %s", got)
	}
}

// Each mistake is reported with file, line, host and field.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, old, text, want string }{
		{"duplicate MAC", "AA-BB-CC-DD-EE-02", "aa:bb:cc:dd:ee:fe", "hosts.yaml:14: host remote2: mac: host remote1 has it too: a machine finds its files by it"},
		{"duplicate address", "10.1.1.166/26", "10.1.1.165/26", "hosts.yaml:15: host remote2: address: host remote1 has it too"},
		{"duplicate name", "remote2\n", "remote1\n", "hosts.yaml:13: host remote1: name: host remote1 has it too"},
		{"unknown key", "    root:", "    rooot:", "hosts.yaml:20: rooot: this key is not known: use name, mac, address, gateway, interface, initiator, target, portals, lun, chap, root, kernel, initrd, append, disk, shared"},
		{"key like another", "    lun:", "    LUN:", "hosts.yaml:18: LUN: this key is not known: did you mean lun?"},
		{"key above", "server:", "serve:", "hosts.yaml:2: serve: this key is not known: did you mean server?"},
		{"name with a line break", "name: remote2", `name: "remote2\nAPPEND x"`, `hosts.yaml:13: name: "remote2\nAPPEND x" has a line break, a quote or another character that is special to boot loaders: remove it`},
		{"name of a path", "name: remote2", "name: ../x", `hosts.yaml:13: name: "../x" is not a host name: write up to 63 letters, digits and hyphens`},
		{"value with a line break", "root: LABEL=root", `root: "x\nMENU y"`, `hosts.yaml:20: host remote2: root: "x\nMENU y" has a line break, a quote`},
		{"MAC", "AA-BB-CC-DD-EE-02", "01:00:5e:00:00:01", "hosts.yaml:14: host remote2: mac: 01:00:5e:00:00:01 is not an address of a network card: write it as aa:bb:cc:dd:ee:ff"},
		{"address", "10.1.1.166/26", "10.1.1.166", "hosts.yaml:15: host remote2: address: 10.1.1.166 is not an address with a mask: write 10.1.1.165/26 or 10.1.1.165/255.255.255.192"},
		{"gateway", "gateway: 10.1.1.129", "gateway: here", "hosts.yaml:16: host remote2: gateway: here is not an IP address"},
		{"portals", `portals: [10.1.1.180:3261, "[2001:db8::1]"]`, "portals: a:b", "hosts.yaml:17: host remote2: portals: a:b: write IP addresses or host names"},
		{"LUN", "lun: 2", "lun: two", "hosts.yaml:18: host remote2: lun: two is not a LUN: write a number from 0"},
		{"two values", "lun: 2", "lun: [1, 2]", "hosts.yaml:18: host remote2: lun: a list: write one value"},
		{"no such secret", "chap: secrets", "chap: none", "hosts.yaml:19: host remote2: chap: it names no file that can be read: write the name of one with a line TARGET USER SECRET"},
		{"no secret for it", "lun: 2\n", "lun: 2\n    target: iqn.2007-01.com.example:other\n", "hosts.yaml:20: host remote2: chap: secrets: no line for target iqn.2007-01.com.example:other"},
		{"kernel above the tree", "kernel: remote/vmlinuz-2.6.17-5mdv", "kernel: ../vmlinuz", "hosts.yaml:7: host remote1: kernel: ../vmlinuz is not a path in the tree: write it without .., //, a comma, ::, #, ? and %"},
		{"secret in the open", "[quiet, ", "[iscsi_w=sesame-open-12, ", "hosts.yaml:13: host remote2: append: iscsi_w is a secret, and this file is public: use chap"},
		{"parameter", "[quiet, ", "[iscsi_p=x, ", "hosts.yaml:13: host remote2: parameter iscsi_p=x"},
		{"nothing given", "  portals: 10.1.1.180\n", "", "hosts.yaml:9: host remote1: portals: it is not given"},
		{"too much", "[quiet, ", "[" + strings.Repeat("a=b, ", 30), "hosts.yaml:13: host remote2: append: command line has 38 undotted"},
		{"too long", "[quiet, ", "[" + strings.Repeat("a.b=ccccccccc, ", 160), "hosts.yaml:13: host remote2: append: command line has "},
		{"name for all", "  initiator:", "  mac: aa:bb:cc:dd:ee:ff\n  initiator:", "hosts.yaml:4: mac: no two hosts can have the same: write it for each"},
		{"one initiator", "server.{name}", "server", "hosts.yaml:13: host remote2: initiator: host remote1 has it too: the login of one would end the other's session"},
		{"one disk", "    lun: 2\n    chap: secrets\n", "    target: iqn.2007-01.com.example:storage.remote1\n", "hosts.yaml:18: host remote2: target: host remote1 has it too, with the same LUN: two machines that write to one disk destroy it"},
		{"disk", "/srv/{name}", "srv/{name}", "hosts.yaml:22: host remote2: disk: srv/remote2-aa-bb-cc-dd-ee-02.img is not a path"},
		{"twice", "    lun: 2\n", "    lun: 2\n    lun: 3\n", `hosts.yaml:19: mapping key "lun" already defined at [18:5]`},
		{"no YAML", "hosts:", "hosts: [", "hosts.yaml:"},
		{"no list", "defaults:", "loader: ipxe\ndefaults: x\nserver2:", "hosts.yaml:4: defaults: not a set of fields"},
		{"loader", "defaults:", "loader: lilo\ndefaults:", "hosts.yaml:3: loader: use pxelinux, ipxe or grub"},
		{"URL", "defaults:", "http: here\ndefaults:", "hosts.yaml:3: http: no URL: write where the tree is served"},
		{"server", "server: 10.1.1.1", "server: here", "hosts.yaml:2: server: no IP address"},
		{"list of lists", "lun: 2", "lun: [[1]]", "hosts.yaml:18: lun: neither a text nor a list of texts"},
	} {
		text := strings.Replace(seed, c.old, c.text, 1)
		if text == seed {
			t.Errorf("%s: %q is not in the description", c.name, c.old)
		}
		r, err := parse("hosts.yaml", []byte(text), secrets)
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+c.want) {
			t.Errorf("%s: %+v\n got %v\nwant %s", c.name, r != nil, err, c.want)
		}
		var typed *Error
		if !errors.As(err, &typed) || typed.File != "hosts.yaml" {
			t.Errorf("%s: %T", c.name, err)
		}
	}
	for _, text := range []string{"", "hosts:\n", "x", "- a\n", strings.Repeat("[", 1000), "a: 1\n---\nb: 2\n", "server: 10.1.1.1\nhosts: x\n"} {
		if _, err := parse("hosts.yaml", []byte(text), secrets); err == nil {
			t.Errorf("%.20q: no error", text)
		}
	}
}

// All mistakes are reported at once, and none twice for a host that has one.
func TestAllMistakes(t *testing.T) {
	text := strings.NewReplacer("AA-BB-CC-DD-EE-02", "x", "10.1.1.166/26", "y", "lun: 2", "lun: z").Replace(seed)
	_, err := parse("hosts.yaml", []byte(text), secrets)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

// Two machines have one disk only if the second says so; then the target is configured with the
// disk once and both of them.
func TestSharedDisk(t *testing.T) {
	const target = "iqn.2007-01.com.example:storage.remote1"
	text := func(shared string) string {
		return strings.NewReplacer("    lun: 2\n    chap: secrets\n", "    target: "+target+"\n"+shared,
			"hosts:\n", "  disk: /srv/room.img\nhosts:\n", "    disk: /srv/{name}-{mac}.img\n", "").Replace(seed)
	}
	r := room(t, text("    shared: true\n"))
	for _, h := range r.Hosts {
		if h.Target != target || h.number() != 0 || h.Disk != "/srv/room.img" {
			t.Errorf("host %s: target %s, LUN %v, disk %s", h.Name, h.Target, h.LUN, h.Disk)
		}
	}
	tgt := r.tgt()
	for word, want := range map[string]int{
		"<target " + target + ">": 1, "<backing-store ": 1,
		"initiator-name iqn.2007-01.com.example:server.remote1\n": 1, "initiator-name iqn.2007-01.com.example:server.remote2\n": 1,
	} {
		if n := strings.Count(tgt, word); n != want {
			t.Errorf("%q is %d times in tgt's configuration, want %d:\n%s", word, n, want, tgt)
		}
	}
	for _, shared := range []string{"", "    shared: false\n"} {
		if _, err := parse("hosts.yaml", []byte(text(shared)), secrets); err == nil || !strings.Contains(err.Error(), "host remote2: target: host remote1 has it too, with the same LUN") {
			t.Errorf("%q: error %v, want that the disk is one machine's", shared, err)
		}
	}
}

// A secret that everybody can read is none.
func TestReadSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"hosts.yaml": seed, "secrets": secretLine + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Read(dir + "/hosts.yaml")
	if err == nil || !strings.Contains(err.Error(), "hosts.yaml:19: host remote2: chap: secrets: read secrets from "+dir+"/secrets: all users of this machine can read it") {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(dir+"/secrets", 0o640); err != nil {
		t.Fatal(err)
	}
	if r, err := Read(dir + "/hosts.yaml"); err != nil || len(r.Hosts) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, name := range []string{dir, dir + "/none"} {
		if _, err := Read(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// FuzzParse: whatever is written, it is refused with the places, or all files can be made of it,
// and no value breaks out of its line.
func FuzzParse(f *testing.F) {
	f.Add(seed)
	f.Add("server: 10.1.1.1\nhosts:\n  - name: \"a\\nb\"\n")
	f.Add("hosts: [{name: a, mac: 02:00:00:00:00:01}]")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse("hosts.yaml", []byte(text), secrets)
		if err != nil {
			return
		}
		files, err := r.Files("out")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasPrefix(file.Path, tree+"/pxelinux.cfg/01-") && strings.Count(string(file.Data), "\n") != 7 {
				t.Errorf("%s:\n%s", file.Path, file.Data)
			}
		}
	})
}
