package netboot

import (
	"strings"
	"testing"
)

// What a format would take for something else, and what no machine can have, is refused with file,
// host and field.
func TestRefused(t *testing.T) {
	const v6, notInFormat = "2001:db8::7/64", "has a blank: write one word"
	for _, c := range []struct {
		set  []string // fields of the usual machine
		want string   // behind file, line, host and field
	}{
		{[]string{"name", "ignore"}, "ignore is the keyword ignore to dnsmasq: write another name, such as host-ignore"},
		{[]string{"name", "Infinite"}, "Infinite is the keyword infinite to dnsmasq"},
		{[]string{"name", "123"}, "123 is a lease time to dnsmasq: write another name, such as host-123"},
		{[]string{"name", "12h"}, "12h is a lease time to dnsmasq"},
		{[]string{"name", "7W"}, "7W is a lease time to dnsmasq"},
		{[]string{"name", "1s"}, "1s is a lease time to dnsmasq"},
		{[]string{"name", "set:a"}, `"set:a" is not a host name`},
		{[]string{"name", "tag:a"}, `"tag:a" is not a host name`},
		{[]string{"name", "id:*"}, `"id:*" is not a host name`},
		{[]string{"name", "a.b"}, `"a.b" is not a host name`},
		{[]string{"name", strings.Repeat("a", 64)}, `"` + strings.Repeat("a", 64) + `" is not a host name: write up to 63 letters, digits and hyphens`},
		{[]string{"target", "iqn.x:a b"}, `"iqn.x:a b" ` + notInFormat},
		{[]string{"initiator", "iqn.x:a b"}, `"iqn.x:a b" ` + notInFormat},
		{[]string{"interface", "eth0 quiet"}, `"eth0 quiet" ` + notInFormat},
		{[]string{"portals", "10.1.1.180 10.1.1.181"}, `"10.1.1.180 10.1.1.181" ` + notInFormat},
		{[]string{"address", "10.1.1.165/26 x"}, `"10.1.1.165/26 x" ` + notInFormat},
		{[]string{"root", "LABEL=a b"}, `"LABEL=a b" ` + notInFormat},
		{[]string{"kernel", "a b"}, `"a b" ` + notInFormat},
		{[]string{"initrd", "a b"}, `"a b" ` + notInFormat},
		{[]string{"disk", "/srv/a b"}, `"/srv/a b" ` + notInFormat},
		{[]string{"lun", "2 3"}, `"2 3" ` + notInFormat},
		{[]string{"target", "iqn.x:a#b"}, "iqn.x:a#b is not an iSCSI name: write letters, digits, dots, colons and hyphens"},
		{[]string{"initiator", "iqn.x:a,b"}, "iqn.x:a,b is not an iSCSI name"},
		{[]string{"target", "iqn.x:" + strings.Repeat("a", 218)}, "it has 224 bytes: an iSCSI name has 223 at most"},
		{[]string{"target", "iqn.x:a;b"}, `"iqn.x:a;b" has a line break, a quote or another character`},
		{[]string{"root", "a\tb"}, `"a\tb" has a line break, a quote or another character`},
		{[]string{"append", "a=$b"}, `"a=$b" has a line break, a quote or another character`},
		{[]string{"append", "quiet #x y"}, "#x begins with #, where a comment begins in scripts of iPXE: remove it"},
		{[]string{"append", "quiet initrd=x.img"}, "initrd=x.img names an image to the boot loader: use initrd"},
		{[]string{"kernel", "a#b"}, "a#b is not a path in the tree"},
		{[]string{"kernel", "a?b"}, "a?b is not a path in the tree"},
		{[]string{"initrd", "a%20b"}, "a%20b is not a path in the tree"},
		{[]string{"initrd", "a,b"}, "a,b is not a path in the tree"},
		{[]string{"initrd", "10.1.1.1::b"}, "10.1.1.1::b is not a path in the tree"},
		{[]string{"kernel", "x/a", "initrd", "y/a"}, "y/a has the name of another file that this host loads"},
		{[]string{"disk", "/srv/a#b"}, "/srv/a#b is not a path of a file or device on the target"},
		{[]string{"disk", "/srv/a/"}, "/srv/a/ is not a path of a file or device on the target"},
		{[]string{"disk", "/srv/a", "lun", "0001-0002-0000-0000"}, "0001-0002-0000-0000 is not a number"},
		{[]string{"target", "iqn.x:a_b"}, "iqn.x:a_b has an underscore, which tgt and LIO have not in names: write a hyphen, or no disk"},
		{[]string{"initiator", "iqn.x:a_b"}, "iqn.x:a_b has an underscore, which tgt and LIO have not in names"},
		{[]string{"mac", "00:00:00:00:00:00"}, "00:00:00:00:00:00 is not an address of a network card"},
		{[]string{"mac", "ff:ff:ff:ff:ff:ff"}, "ff:ff:ff:ff:ff:ff is not an address of a network card"},
		{[]string{"mac", "33:33:00:00:00:01"}, "33:33:00:00:00:01 is not an address of a network card"},
		{[]string{"mac", "02:00:00:00:00:00:00:01"}, "02:00:00:00:00:00:00:01 is not an address of a network card"},
		{[]string{"address", "10.1.1.128/26"}, "10.1.1.128/26 is the address of the network 10.1.1.128/26: write the machine's own"},
		{[]string{"address", "10.1.1.191/26"}, "10.1.1.191/26 is the broadcast address of 10.1.1.128/26"},
		{[]string{"address", "2001:db8::/64"}, "2001:db8::/64 is the anycast address of all routers of 2001:db8::/64"},
		{[]string{"address", "224.0.0.5/4"}, "224.0.0.5/4 is a multicast address"},
		{[]string{"address", "127.0.0.2/8"}, "127.0.0.2/8 is a loopback address"},
		{[]string{"address", "0.1.2.3/8"}, "0.1.2.3/8 is no machine's address"},
		{[]string{"address", "fe80::5/64"}, "fe80::5/64 is a link-local address, which means nothing without a NIC"},
		{[]string{"address", "10.77.0.1/24"}, "10.77.0.1 is the server's: write the machine's own"},
		{[]string{"gateway", "10.1.1.165"}, "10.1.1.165 is the machine's own address: write the router's address in this subnet"},
		{[]string{"gateway", "10.1.1.1"}, "10.1.1.1 is outside of the subnet 10.1.1.128/26"},
		{[]string{"gateway", "10.1.1.191"}, "10.1.1.191 is the broadcast address of 10.1.1.128/26"},
		{[]string{"gateway", "10.1.1.128"}, "10.1.1.128 is the address of the network 10.1.1.128/26"},
		{[]string{"gateway", "2001:db8::1"}, "2001:db8::1 is not of the IP version of the address 10.1.1.165"},
		{[]string{"gateway", "0.0.0.0"}, "0.0.0.0 is no machine's address"},
		{[]string{"address", v6, "gateway", "fe80::1%eth0"}, "fe80::1%eth0 is an address with a zone: write it without"},
		{[]string{"portals", "10.1.1.165"}, "10.1.1.165 is the machine's own address: write the target's addresses"},
		{[]string{"portals", "10.1.1.191"}, "10.1.1.191 is the broadcast address of 10.1.1.128/26"},
		{[]string{"portals", "127.0.0.1"}, "127.0.0.1 is a loopback address"},
		{[]string{"portals", "10.1.1.180,10.1.1.180"}, "10.1.1.180 is written twice"},
		{[]string{"portals", "0.0.0.0"}, "0.0.0.0: write IP addresses or host names"},
		{[]string{"portals", "239.0.0.1"}, "239.0.0.1: write IP addresses or host names"},
		{[]string{"portals", "10.1.1.180:0"}, "10.1.1.180:0: write IP addresses or host names"},
		{[]string{"portals", "10.1.1.180:65536"}, "10.1.1.180:65536: write IP addresses or host names"},
	} {
		s := usual().with(c.set...)
		if s["address"] != usual()["address"] && s["gateway"] == usual()["gateway"] {
			delete(s, "gateway")
		}
		_, err := parse("hosts.yaml", []byte(s.yaml(fuzzedServer)), secrets)
		field := c.set[len(c.set)-2] + ": "
		if err == nil || !strings.HasPrefix(err.Error(), "hosts.yaml:") || !strings.Contains(err.Error(), field+c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.set, err, field+c.want)
		}
		if err != nil && c.set[0] != "name" && !strings.Contains(err.Error(), ": host remote1: ") {
			t.Errorf("%q: no host in %v", c.set, err)
		}
	}
}

// The fields of the server are refused where machines cannot reach it.
func TestRefusedServers(t *testing.T) {
	for _, c := range []struct{ top, want string }{
		{"server: 0.0.0.0\n", "hosts.yaml:1: server: 0.0.0.0 is no machine's address: write the address of this server as the machines see it"},
		{"server: '::'\n", "server: :: is no machine's address"},
		{"server: 224.0.0.1\n", "server: 224.0.0.1 is a multicast address"},
		{"server: ff02::1\n", "server: ff02::1 is a multicast address"},
		{"server: 127.0.0.1\n", "server: 127.0.0.1 is a loopback address"},
		{"server: '::1'\n", "server: ::1 is a loopback address"},
		{"server: 255.255.255.255\n", "server: 255.255.255.255 is the broadcast address"},
		{"server: fe80::1\n", "server: fe80::1 is a link-local address"},
		{"server: fe80::1%eth0\n", "server: fe80::1%eth0 is a link-local address"},
		{"server: '::ffff:10.77.0.1'\n", "server: ::ffff:10.77.0.1 is an IPv4 address in the form of IPv6: write 10.77.0.1"},
		{fuzzedServer + "http: http://10.77.0.1/a#b\n", "hosts.yaml:2: http: a URL with # or ?, behind which iPXE adds no path: write where the tree is served"},
		{fuzzedServer + "http: http://10.77.0.1/a?b\n", "http: a URL with # or ?"},
		{fuzzedServer + "http: http://10.77.0.1/?\n", "http: a URL with # or ?"},
		{fuzzedServer + "http: http://10.77.0.1:65536/\n", "http: a URL with a port that is not 1 to 65535"},
		{fuzzedServer + "http: http://10.77.0.1:0/\n", "http: a URL with a port that is not 1 to 65535"},
		{fuzzedServer + "http: http://user:sesame@10.77.0.1/\n", "http: a URL with a user, and all machines may read it"},
		{fuzzedServer + "http: http://0.0.0.0/\n", "http: a URL with no machine's address"},
		{fuzzedServer + "http: http://[fe80::1]/\n", "http: a URL with a link-local address"},
		{fuzzedServer + "http: http://10.77.0.1/a b\n", "http: no URL"},
		{fuzzedServer + "http: http://:80/\n", "http: no URL"},
	} {
		_, err := parse("hosts.yaml", []byte(usual().yaml(c.top)), secrets)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q:\n got %v\nwant %s", c.top, err, c.want)
		}
	}
}

// Two machines that do not agree about what they share are refused.
func TestRefusedPairs(t *testing.T) {
	other := usual().with("name", "remote2", "mac", "aa:bb:cc:dd:ee:02", "address", "10.1.1.166/26",
		"initiator", "iqn.x:i2", "target", "iqn.x:t2", "disk", "/srv/remote2.img")
	for _, c := range []struct {
		set  []string
		want string
	}{
		{nil, ""},
		{[]string{"name", "REMOTE1"}, "host REMOTE1: name: host remote1 has it too"},
		{[]string{"mac", "AA-BB-CC-DD-EE-FE"}, "host remote2: mac: host remote1 has it too"},
		{[]string{"address", "10.1.1.165/25"}, "host remote2: address: host remote1 has it too"},
		{[]string{"initiator", "IQN.2007-01.com.example:server.remote1"}, "host remote2: initiator: host remote1 has it too"},
		{[]string{"disk", "/srv/remote1.img"}, "host remote2: disk: host remote1 has it too, as another LUN"},
		{[]string{"target", usual()["target"], "shared", "true"}, "host remote2: disk: host remote1 has /srv/remote1.img for the same LUN: write the same"},
		{[]string{"target", usual()["target"], "shared", "true", "disk", "/srv/remote1.img"}, ""},
		{[]string{"target", usual()["target"], "lun", "3"}, ""},
		{[]string{"target", "IQN.2007-01.com.example:storage.remote1", "lun", "3"}, "host remote2: target: host remote1 writes it iqn.2007-01.com.example:storage.remote1: write it in the same way"},
		{[]string{"target", usual()["target"], "lun", "3", "chap", "secrets"}, "host remote2: chap: host remote1 and this host have one target, and one of them has a secret for it"},
	} {
		_, second, _ := strings.Cut(other.with(c.set...).yaml(""), "hosts:\n")
		_, err := parse("hosts.yaml", []byte(usual().yaml(fuzzedServer)+second), func(string) ([]byte, error) { return []byte(usual()["target"] + " u twelve-bytes-12\n"), nil })
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q:\n got %v\nwant %s", c.set, err, c.want)
		}
	}
}

// What is odd and means the same to all formats is accepted.
func TestAcceptedOddities(t *testing.T) {
	for _, set := range [][]string{
		{"name", "set"},
		{"name", "tag"},
		{"name", "id"},
		{"name", "net"},
		{"name", "d"},
		{"name", "ds"},
		{"name", "4y"},
		{"name", "1-2"},
		{"name", "0x12"},
		{"name", "Ab--c"},
		{"name", "xn--bcher-kva"},
		{"name", "eth0"},
		{"name", "ipxe"},
		{"name", "known"},
		{"name", strings.Repeat("a", 63)},
		{"address", "10.1.1.0/23", "gateway", "10.1.0.255"},
		{"address", "10.1.1.0/31", "gateway", "10.1.1.1"},
		{"address", "10.1.1.7/32", "gateway", "10.1.1.1"},
		{"address", "169.254.1.1/16", "gateway", ""},
		{"address", "2001:db8::7/64", "gateway", "fe80::1"},
		{"address", "2001:db8::/127", "gateway", "2001:db8::1"},
		{"address", "10.1.1.165/255.255.255.192"},
		{"mac", "02-00-00-00-00-01"},
		{"mac", "0200.0000.0001"},
		{"portals", "10.1.1.180:1,10.1.1.181:65535"},
		{"portals", "[2001:db8::1]:860"},
		{"portals", "san.example"},
		{"portals", "fe80::1%eth0"},
		{"target", "eui.0123456789ABCDEF"},
		{"target", "iqn.2007-01.com.example:a_b:c-d.e", "initiator", "iqn.x:a_b", "disk", ""},
		{"lun", "16383"},
		{"lun", ""},
		{"root", ""},
		{"append", ""},
		{"kernel", "/vmlinuz.0"},
		{"kernel", "a+b=c@d~e/f:g"},
		{"initrd", "x.c32"},
		{"disk", "/dev/vg/a=b,c+d@e%f~g:h[1](2)!*?.img"},
		{"append", "a=b#c  d -- 3"},
	} {
		if _, err := parse("hosts.yaml", []byte(usual().with(set...).yaml(fuzzedServer)), secrets); err != nil {
			t.Errorf("%q: %v", set, err)
		}
	}
	for _, top := range []string{"http: http://10.77.0.1:8080/a,b/\n", "http: https://boot.example/x%20y\n", "http: http://[2001:db8::1]/\n"} {
		if _, err := parse("hosts.yaml", []byte(usual().yaml(fuzzedServer+top)), secrets); err != nil {
			t.Errorf("%q: %v", top, err)
		}
	}
}

// A value of chap that is no file may be a secret: it is not shown.
func TestSecretInPlaceOfAFile(t *testing.T) {
	for _, value := range []string{"sesame-open-12", "/sesame/open", strings.Repeat("sesame", 100), "sesame\x00open", "hosts.yaml/sesame"} {
		dir := t.TempDir()
		name := dir + "/hosts.yaml"
		if err := writeFile(name, usual().with("chap", value).yaml(fuzzedServer)); err != nil {
			t.Fatal(err)
		}
		_, err := Read(name)
		if want := name + ":5: host remote1: chap: it names no file that can be read: write the name of one with a line TARGET USER SECRET"; err == nil || err.Error() != want {
			t.Errorf("%.20q:\n got %v\nwant %s", value, err, want)
		}
	}
}
