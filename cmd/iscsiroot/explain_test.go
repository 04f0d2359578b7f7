package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/ibft/ibfttest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// firmwareTable is what iPXE would leave behind for a static address, and more targets.
func firmwareTable(t *testing.T, more ...ibft.Target) string {
	t.Helper()
	b, err := ibfttest.Encode(ibft.Table{
		Initiator: ibft.Initiator{Flags: ibft.Valid | ibft.BootSelected, Name: "iqn.2001-04.com.example:m"},
		NICs: []ibft.NIC{{
			Flags: ibft.Valid | ibft.BootSelected, Address: netip.MustParseAddr("10.1.1.165"), PrefixLen: 26, Origin: ibft.OriginManual,
			MAC: [6]byte{0x52, 0x54, 0, 0xaa, 0xbb, 1},
		}},
		Targets: append([]ibft.Target{{
			Flags: ibft.Valid | ibft.BootSelected, Portal: netip.MustParseAddrPort("10.1.1.180:3260"), Name: "iqn.2001-04.com.example:s",
			CHAP: ibft.OneWayCHAP, User: "u", Secret: iscsi.NewSecret([]byte("sesame-open-12")),
		}}, more...),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExplain(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	s.write("table", firmwareTable(t))
	s.write("odd", firmwareTable(t, ibft.Target{Flags: ibft.Valid, Portal: netip.MustParseAddrPort("10.1.1.181:3260")}))
	s.write("broken", "iBFT")
	if status, _, errs := s.build("--nic", "virtio_net", "--fs", "ext4", "--default", "iscsi_a=10.1.1.181", "--policy", "rd.emergency=halt"); status != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   []string // parts of stdout and stderr
	}{
		{"static", []string{"--cmdline", seedLine}, 0, []string{"10.1.1.165/26", "(iscsi_i_ip=)", "/dev/sda2, or else", "the first with a link  (default)"}},
		{"nothing", nil, 1, []string{"error: the target name is not given", "iqn.2010-04.org.ipxe:uuid-of-the-machine", "could not boot with it: 3 things"}},
		{"mistake", []string{"--cmdline", seedLine + " iscsi_p=x"}, 1, []string{"error: parameter iscsi_p=x"}},
		{"mistyped", []string{"--cmdline", seedLine + " netrot=x"}, 0, []string{"warning: parameter netrot is not understood"}},
		{"overlay", []string{"--cmdline", seedLine + " overlayroot=tmpfs rd.lvm=0"}, 0, []string{"warning: overlayroot= asks for a writable layer over root, which is not supported"}},
		{"capitals", []string{"--cmdline", seedLine + " ISCSI_USERNAME=u ISCSI_PASSWORD=sesame-open-12"}, 0, []string{"[redacted]", "warning: all users of this machine can read the secret in ISCSI_PASSWORD="}},
		{"firmware", []string{"--ibft", "~/table"}, 0, []string{"52:54:00:aa:bb:01", "(iBFT NIC 0)", "(iBFT target 0)", "(iBFT initiator)"}},
		{"broken firmware", []string{"--ibft", "~/broken"}, 1, []string{"read iBFT"}},
		{"odd firmware", []string{"--ibft", "~/odd"}, 0, []string{"warning: read iBFT: target 1 at byte ", "no target name", "(iBFT target 0)"}},
		{"shared UUID", []string{"--ibft", "~/table", "--uuid", "00000000-0000-0000-0000-000000000000", "--cmdline", "iscsi_i_ip=10.1.1.165/26"}, 0, []string{"iqn.2001-04.com.example:m"}},
		{
			"shared UUID and no table",
			[]string{"--uuid", "00020003-0004-0005-0006-000700080009", "--cmdline", "iscsi_i_ip=10.1.1.165/26 BOOTIF=01-52-54-00-aa-bb-01 iscsi_t=iqn.x:t iscsi_a=10.1.1.180"},
			0,
			[]string{"iqn.2010-04.org.ipxe:52-54-00-aa-bb-01  (the MAC of the boot's NIC)", "many machines have the UUID 00020003-0004-0005-0006-000700080009"},
		},
		{"no file", []string{"--ibft", "~/none"}, 1, []string{"no such file"}},
		{"root path", []string{"--cmdline", "iscsi_i=iqn.x:m iscsi_i_ip=10.1.1.165/26 root=dhcp", "--root-path", "iscsi:10.1.1.180:::10:iqn.2001-04.com.example:s"}, 1, []string{"(DHCP option 17)", "16  (DHCP option 17)"}},
		{"image", []string{"--image", "~/out/initrd.img", "--cmdline", strings.Replace(seedLine, "iscsi_a=10.1.1.180", "", 1)}, 0, []string{"10.1.1.181:3260", "(iscsi_a= in the image's default)", "halt", "in the image's policy"}},
		{"secrets in odd places", []string{"--cmdline", seedLine + " iscsi_a=u:sesame-open-12@10.1.1.1 netroot=iscsi://u:sesame-open-12@h iscsi_w:sesame-open-12 rd.iscsi.password sesame-open-12", "--root-path", "iscsi://u:sesame-open-12@h"}, 1, []string{
			"iscsi_a=[redacted]@10.1.1.1", "netroot=iscsi:[redacted]@h", "iscsi_w:[redacted]", "rd.iscsi.password (byte",
		}},
		{"secrets in odd places as JSON", []string{"--json", "--cmdline", "iscsi_t=u:sesame-open-12@h rootflags=u:sesame-open-12@h"}, 1, []string{`"value": "[redacted]@h"`, "iscsi_t=[redacted]@h"}},
		{
			"modules",
			[]string{"--cmdline", seedLine + " rd.driver.pre=dummy modprobe.blacklist=a-b,c module_blacklist=n rd.driver.post=z e1000.debug=16"},
			0,
			[]string{
				"modules loaded first            dummy  (rd.driver.pre=)\n", "modules not loaded for devices  a_b,c  (modprobe.blacklist=)\n",
				"modules never loaded            n  (module_blacklist=)\n", "modules loaded last             z  (rd.driver.post=)\n",
			},
		},
		{"arrays", []string{"--cmdline", seedLine + " root=/dev/md/root rd.md.uuid=3aaa0122:29827cfa:5331ad66:ca767371 rd.md.imsm=0"}, 0, []string{
			"/dev/md/root  (root=)", "3aaa012229827cfa5331ad66ca767371  (rd.md.uuid=)", "no effect: arrays of a firmware are not supported  (rd.md.imsm=)",
		}},
		{"secret", []string{"--cmdline", seedLine + " iscsi_u=u iscsi_w=sesame-open-12"}, 0, []string{"[redacted]"}},
	} {
		status, out, errs := s.run(append([]string{"explain"}, c.args...)...)
		if status != c.status || strings.Contains(out+errs, "sesame") {
			t.Errorf("%s: status %d, %s%s", c.name, status, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%s: no %q in\n%s%s", c.name, want, out, errs)
			}
		}
	}
}

// JSON has the same values as the text.
func TestExplainJSON(t *testing.T) {
	s := newStage(t)
	s.write("table", firmwareTable(t))
	status, out, errs := s.run("explain", "--json", "--ibft", "~/table", "--cmdline", "blacklist=nouveau")
	var e explanation
	if err := json.Unmarshal([]byte(out), &e); err != nil || status != 0 || !e.Boots || strings.Contains(out, "sesame") {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errs)
	}
	for _, want := range []settingJSON{{"target", "iqn.2001-04.com.example:s", "iBFT target 0"}, {"modules not loaded for devices", "nouveau", "blacklist="}} {
		if !slices.Contains(e.Plan, want) {
			t.Errorf("no %s in %s", want.What, out)
		}
	}
}

// A command line of a pipe.
func TestExplainStdin(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString(seedLine + "\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	e, err := explainInput{cmdline: "-"}.explain(r)
	if err != nil || len(e.Errors) != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := (explainInput{cmdline: "-"}).explain(strings.NewReader(strings.Repeat("x", maxCmdline+1))); err == nil {
		t.Error("a command line without an end is read")
	}
}
