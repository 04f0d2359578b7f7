package main

import (
	"os"
	"strings"
	"testing"
)

const hosts = `server: 10.1.1.1
defaults:
  initiator: iqn.2007-01.com.example:server.{name}
  target: iqn.2007-01.com.example:storage.{name}
  portals: 10.1.1.180
  kernel: remote/vmlinuz
  initrd: remote/initrd.img
hosts:
  - name: remote1
    mac: aa:bb:cc:dd:ee:fe
    address: 10.1.1.165/26
  - name: remote2
    mac: aa:bb:cc:dd:ee:02
    address: 10.1.1.166/26
    chap: secrets
`

// TestPXEStory writes a tree, changes a machine, looks at what would change, and changes it.
func TestPXEStory(t *testing.T) {
	s := newStage(t)
	s.write("hosts.yaml", hosts)
	s.write("secrets", "iqn.2007-01.com.example:storage.remote2 user sesame-open-12\n")
	if err := os.Chmod(s.path("secrets"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ := s.run("pxe", "--dry-run", "~/hosts.yaml", "~/srv")
	if status != 0 || !strings.HasSuffix(out, "~/srv: 15 files, 15 would change\n") || strings.Contains(out, "sesame") || !strings.Contains(out, "\n+DEFAULT remote1\n") {
		t.Errorf("status %d, %s", status, out)
	}
	if _, err := os.Stat(s.path("srv")); err == nil {
		t.Error("--dry-run wrote something")
	}
	status, out, errs := s.run("pxe", "~/hosts.yaml", "~/srv")
	if status != 0 || !strings.Contains(out, "new tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-fe\n") || !strings.Contains(out, "\nfiles with secrets have mode 0600, and ~/srv/tftp/secrets 0700: ") {
		t.Errorf("status %d, %s", status, out)
	}
	if !strings.Contains(errs, "iscsiroot: ~/srv/tftp/remote/initrd.img is not there yet: build it with iscsiroot build\n") {
		t.Errorf("on stderr %s", errs)
	}
	s.write("hosts.yaml", strings.Replace(hosts, "10.1.1.166", "10.1.1.167", 1))
	status, out, _ = s.run("pxe", "--dry-run", "~/hosts.yaml", "~/srv")
	if status != 0 || strings.Contains(out, "sesame") || !strings.Contains(out, "\n-dhcp-host=aa:bb:cc:dd:ee:02,set:host-aa-bb-cc-dd-ee-02,10.1.1.166,remote2\n+dhcp-host=aa:bb:cc:dd:ee:02,set:host-aa-bb-cc-dd-ee-02,10.1.1.167,remote2\n") {
		t.Errorf("status %d, %s", status, out)
	}
	s.run("pxe", "~/hosts.yaml", "~/srv")
	if status, out, _ = s.run("pxe", "~/hosts.yaml", "~/srv"); status != 0 || out != "~/srv: 15 files, 0 changed\n" {
		t.Errorf("status %d, %s", status, out)
	}
}

// A file that was changed by hand is named, and stays until --overwrite is given; the number of
// files is that of the files that are listed.
func TestPXEKeepsChanges(t *testing.T) {
	s := newStage(t)
	s.write("hosts.yaml", strings.Replace(hosts, "    chap: secrets\n", "", 1))
	status, out, errs := s.run("pxe", "~/hosts.yaml", "~/srv")
	if listed := strings.Count(out, "new "); status != 0 || listed != 14 || !strings.HasSuffix(out, "~/srv: 14 files, 14 changed\n") {
		t.Errorf("status %d, %d files in %s%s", status, listed, out, errs)
	}
	s.write("srv/tgt.conf", "by hand\n")
	status, out, errs = s.run("pxe", "~/hosts.yaml", "~/srv")
	want := "iscsiroot: write to ~/srv: changed by hand, or not written by pxe, and would be lost: tgt.conf: put the change into the hosts file, or move the file away, or give --overwrite\n"
	if status != 1 || out != "" || errs != want {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	if text, err := os.ReadFile(s.path("srv/tgt.conf")); err != nil || string(text) != "by hand\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, out, _ = s.run("pxe", "--dry-run", "~/hosts.yaml", "~/srv"); !strings.HasPrefix(out, "changed tgt.conf (changed by hand, or not written by pxe)\n-by hand\n") {
		t.Error(out)
	}
	if status, out, _ = s.run("pxe", "--overwrite", "~/hosts.yaml", "~/srv"); status != 0 || out != "changed tgt.conf\n~/srv: 14 files, 1 changed\n" {
		t.Errorf("status %d, %s", status, out)
	}
}

// What tgt and iPXE cannot be given is reported.
func TestPXELeavesOut(t *testing.T) {
	s := newStage(t)
	s.write("hosts.yaml", hosts+"    disk: /srv/2.img\n")
	s.write("secrets", "iqn.2007-01.com.example:storage.remote2 user \"open; sesame\"\n")
	if err := os.Chmod(s.path("secrets"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := s.run("pxe", "~/hosts.yaml", "~/srv")
	for _, want := range []string{
		"iscsiroot: tgt.conf has no target iqn.2007-01.com.example:storage.remote2: ", "iscsiroot: tftp/ipxe/aa-bb-cc-dd-ee-02-sanhook.ipxe does not log in: ",
	} {
		if status != 0 || !strings.Contains(errs, want) || strings.Contains(errs, "sesame") {
			t.Errorf("status %d, %s", status, errs)
		}
	}
}

func TestPXEErrors(t *testing.T) {
	s := newStage(t)
	s.write("hosts.yaml", strings.NewReplacer("ee:02", "ee:fe", "chap:", "chapp:").Replace(hosts))
	status, out, errs := s.run("pxe", "~/hosts.yaml", "~/srv")
	want := "iscsiroot: ~/hosts.yaml:15: chapp: this key is not known: did you mean chap?\n" +
		"~/hosts.yaml:13: host remote2: mac: host remote1 has it too: a machine finds its files by it\n"
	if status != 1 || out != "" || errs != want {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	if _, err := os.Stat(s.path("srv")); err == nil {
		t.Error("something was written")
	}
	if status, _, errs := s.run("pxe", "~/none", "~/srv"); status != 1 || errs != "iscsiroot: read hosts ~/none: no such file or directory\n" {
		t.Errorf("status %d, %s", status, errs)
	}
}
