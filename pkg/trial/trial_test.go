//go:build linux

package trial

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

// console is what a machine showed, cut.
const console = `PXELINUX 6.04 PXE 20200816 Copyright (C) 1994-2015 H. Peter Anvin et al
Loading /remote/vmlinuz... ok
Probing EDD (edd=off to disable)... o[    0.000000] Linux version 6.1.0-56-amd64
[    5.1] Run /init as init process
[   11.707989] iscsiroot: step login done in 0.612 s
[   12.510976] iscsiroot: step hand-over done in 0.021 s
[   12.693711] iscsiroot: root /dev/sda (ext4, read-only): starting /sbin/init after 6.88 s
[   12.709353] Not activating Mandatory Access Control as /sbin/tomoyo-init does not exist.
`

// Each mark is found behind the one before, and the last one only in what another program than the
// kernel writes.
func TestMarks(t *testing.T) {
	b := bench{Config: Config{Room: &netboot.Room{Loader: "pxelinux"}}}
	for text, want := range map[string]bool{
		"":                                    false,
		"[   13.0] sd 0:0:0:0: x\n":           false,
		"hello":                               false,
		"hello\n":                             true,
		"\nWelcome to Debian\n":               true,
		"[  OK  ] Started\n":                  true,
		"[   13.000000] systemd[1]: Queued\n": true,
	} {
		rest, last := console+text, ""
		for _, k := range b.marks() {
			at := regexp.MustCompile(k.text).FindStringIndex(rest)
			if at == nil {
				break
			}
			rest, last = rest[at[1]:], k.stage
		}
		if got := last == "root's init"; got != want || !want && last != "init" {
			t.Errorf("%q: came to %s", text, last)
		}
	}
	b.Expect = "login:"
	if got := b.marks()[4].text; got != "login:" {
		t.Errorf("expects %s", got)
	}
}

func TestBad(t *testing.T) {
	re := regexp.MustCompile(bad)
	if got := re.FindString(console); got != "" {
		t.Errorf("in a good boot: %q", got)
	}
	for text, want := range map[string]string{
		"[ 1.0] iscsiroot: step root failed after 5.1 s: root x\n[ 1.1] iscsiroot: hint: correct root=\nmore": "step root failed after 5.1 s: root x\n[ 1.1] iscsiroot: hint: correct root=\n",
		"[ 1.0] Kernel panic - not syncing: VFS\nmore":                                                        "Kernel panic - not syncing: VFS\n",
		"no file (tftp)/grub/x for this machine: is it\n":                                                     "no file (tftp)/grub/x for this machine: is it\n",
		"no script for 52-54: is this\n":                                                                      "no script for 52-54: is this\n",
		"unknown machine: no file for its MAC address: remote1\n":                                             "unknown machine: no file for its MAC address: remote1\n",
		// The hint is waited for.
		"[ 1.0] iscsiroot: step root failed after 5.1 s: root x\n[ 1.1] iscsi": "",
	} {
		if got := re.FindString(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"step a failed\n[ 1] hint: b\n":           "step a failed\n  [ 1] hint: b",
		"step a failed\n[ 1] rebooting in 60 s\n": "step a failed",
		"Kernel panic\n":                          "Kernel panic",
	} {
		if got := cause(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// When the time is over, the step that is still tried is shown before that, with its hint. One that
// has succeeded is not.
func TestRanOut(t *testing.T) {
	const (
		network = "[    2.1] iscsiroot: network: no link on ens2: check cable: trying again\r\n"
		up      = "[    3.0] iscsiroot: network: succeeded after 0.9 s\r\n"
		first   = "[    3.1] iscsiroot: login: login to iqn.x at 10.0.0.1:3260: connection refused (initiator iqn.y, attempt 1): trying again: check iscsi_p=\r\n"
		still   = "[   13.1] iscsiroot: login: still trying after 10 s: login to iqn.x at 10.0.0.1:3260: no host answers: check iscsi_a=\r\n"
		done    = "[   14.0] iscsiroot: login: succeeded after 10.9 s\r\n"
		other   = "[   15.0] iscsiroot: step disk done in 0.1 s\r\n"
	)
	why := errors.New("out of time")
	for _, c := range []struct{ console, want string }{
		{other, "out of time; the console's last lines:\ntail"},
		{network + up, "out of time; the console's last lines:\ntail"},
		{network + up + first, "login: login to iqn.x at 10.0.0.1:3260: connection refused (initiator iqn.y, attempt 1): trying again: check iscsi_p=\n  out of time; "},
		{network + up + first + still + other, "login: still trying after 10 s: login to iqn.x at 10.0.0.1:3260: no host answers: check iscsi_a=\n  out of time; "},
		{first + network + still + done, "network: no link on ens2: check cable: trying again\n  out of time; "},
	} {
		err := ranOut(why, c.console, "tail")
		if !strings.HasPrefix(err.Error(), c.want) || !errors.Is(err, why) {
			t.Errorf("%q:\n got %v\nwant %s", c.console, err, c.want)
		}
	}
}

func TestSteps(t *testing.T) {
	got := steps(console)
	if len(got) != 2 || got[0] != (Step{"login", 612 * time.Millisecond}) || got[1].Name != "hand-over" {
		t.Errorf("got %v", got)
	}
}

func TestHost(t *testing.T) {
	room := &netboot.Room{Hosts: []netboot.Host{{Name: "a", Disk: "/a"}, {Name: "b"}}}
	for _, c := range []struct{ host, disk, want, problem string }{
		{"a", "", "/a", ""},
		{"a", "/x", "/x", ""},
		{"b", "/x", "/x", ""},
		{"b", "", "", "its disk is not given"},
		{"c", "", "", "no host of that name: there is a, b"},
	} {
		h, err := Config{Room: room, Host: c.host, Disk: c.disk}.host()
		if c.problem == "" && (err != nil || h.Disk != c.want) || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s %s: %s, %v", c.host, c.disk, h.Disk, err)
		}
	}
	if _, err := Run(context.Background(), Config{Room: room, Host: "c"}); err == nil || !strings.HasPrefix(err.Error(), "try c: ") {
		t.Errorf("got %v", err)
	}
}

// The machine's command line differs from pxe's only by parameters for the console.
func TestRoom(t *testing.T) {
	for _, c := range []struct{ words, want, notes string }{
		{"", "console=ttyS0 loglevel=7 rd.debug", "console=ttyS0 is added"},
		{"quiet console=ttyS0,115200", "console=ttyS0,115200 loglevel=7 rd.debug", "quiet is left out"},
	} {
		b := bench{Config: Config{Room: &netboot.Room{HTTP: "https://boot.example/x"}}, host: netboot.Host{Append: c.words}, result: &Result{}}
		room := b.room()
		if got := room.Hosts[0].Append; got != c.want || room.HTTP != "" || b.Room.HTTP == "" {
			t.Errorf("%q: %q, %q", c.words, got, room.HTTP)
		}
		if want := c.notes + "\nit loads by TFTP: https://boot.example/x is not http: with an address"; strings.Join(b.result.Notes, "\n") != want {
			t.Errorf("%q: %q", c.words, b.result.Notes)
		}
	}
}

func TestWebServer(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "invalid AddrPort",
		"http://10.1.1.1":          "10.1.1.1:80",
		"http://10.1.1.1:8080/x/y": "10.1.1.1:8080",
		"http://[2001:db8::1]/x":   "[2001:db8::1]:80",
	} {
		if got, err := webServer(text); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"https://10.1.1.1", "http://boot/x", "http://10.1.1.1:x"} {
		if got, err := webServer(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFirstPortal(t *testing.T) {
	for text, want := range map[string]string{"10.1.1.180": "10.1.1.180:3260", "2001:db8::1": "[2001:db8::1]:3260", "storage": ""} {
		b := bench{host: netboot.Host{Portals: []bootspec.Portal{{Host: text}}}, result: &Result{}}
		got, err := b.firstPortal()
		if (err == nil) != (want != "") || err == nil && got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// A copy has the same bytes and takes no more room.
func TestCopySparse(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	for _, at := range []int64{0, 1 << 20, 5 << 20} {
		if _, err := f.WriteAt(bytes.Repeat([]byte("data"), 5000), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "target")
	if err := copySparse(t.Context(), target, source); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile(source)
	if got, err := os.ReadFile(target); err != nil || len(got) != size || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := copySparse(t.Context(), target, source); err == nil {
		t.Error("over a file that is there: no error")
	}
	if err := copySparse(t.Context(), filepath.Join(dir, "x"), filepath.Join(dir, "none")); err == nil {
		t.Error("of nothing: no error")
	}
}
