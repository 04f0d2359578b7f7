package bootspec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// FuzzParse reads whole command lines. For any line no value is out of its range, the source of
// every value is a parameter in the line, messages are short, a plan that passes Check resolves,
// and a root device reads back as it prints.
func FuzzParse(f *testing.F) {
	f.Add(seed(f))
	for _, tt := range slices.Concat(goods, netGoods, multipathGoods) {
		f.Add("quiet " + tt.key + "=" + tt.value)
	}
	f.Add("netroot=iscsi:10.0.0.1:::eth0::iqn.x:t netroot=iscsi:10.0.0.1:::BOOTIF::iqn.x:t iscsi_t.3=iqn.x:t iscsi_a.3=a,b,a ip=e1:dhcp ip=e2:dhcp iscsi_multipath=1")
	for _, tt := range bads {
		f.Add(tt.key + "=" + tt.value + " ro --")
	}
	f.Add("netroot")
	f.Add("ip=::::a:BOOTIF vlan=vlan5:BOOTIF bond=b:BOOTIF,a rd.route=10.2.0.0/16::BOOTIF iscsi_if=BOOTIF BOOTIF=01-52:54:00:12:34:56 rd.iscsi.param=node.session.timeo.replacement_timeout=-1 iscsi_nop_interval=0 iscsi_nop_timeout=1")
	f.Add(`rd.break=a,,b rd.break rd.shell=/bin/sh rd.debug=off iscsi_w=0x00 iscsi_w=correct-horse-battery iscsi_W.3=0bAAAA rd.iscsi.password.2=other-secret-12 iscsi_x iscsi_a=[::1]:1 iscsi_p=2 -- iscsi_t=x`)
	f.Fuzz(func(t *testing.T, text string) {
		line := cmdline.Parse(text)
		plan, err := bootspec.Parse(line)
		checkRanges(t, plan)
		checkSources(t, plan, line)
		checkSessions(t, plan)
		for _, w := range plan.Warnings {
			if len(w) > 400 {
				t.Errorf("warning of %d bytes: %s", len(w), w)
			}
		}
		if err != nil {
			for message := range strings.SplitSeq(err.Error(), ": write ") {
				// A value may hold line feeds, so lines are not counted.
				if len(message) > 400 {
					t.Errorf("message of %d bytes: %s", len(message), message)
				}
			}
		}
		if d := plan.Root.Device; d.Given() {
			again, err := parse("rd.root.any root=" + d.V.String())
			if err != nil || again.Root.Device.V != d.V {
				t.Errorf("device %+v prints as %s, which is read as %+v, %v", d.V, d.V, again.Root.Device.V, err)
			}
		}
		if _, _, err := plan.Resolve(bootspec.NetFacts{Address: plan.Net.Address.V}); (err == nil) != (plan.Check() == nil) && (err == nil || !plan.Net.Leased()) {
			t.Errorf("Check returns %v, Resolve %v", plan.Check(), err)
		}
		checkSecrets(t, plan, err)
	})
}

func checkRanges(t *testing.T, p bootspec.Plan) {
	t.Helper()
	names := []bootspec.Value[string]{p.Initiator}
	for _, target := range p.Targets {
		names = append(names, target.Name)
		checkTarget(t, target)
	}
	for _, name := range names {
		if name.Given() && (name.V == "" || len(name.V) > 223 || strings.ContainsAny(name.V, " \t\n\x00")) {
			t.Errorf("name %q", name.V)
		}
	}
	if n := p.Net.Interface; n.Given() && (n.V == "" || len(n.V) > 15 || strings.Contains(n.V, "/")) {
		t.Errorf("interface %q", n.V)
	}
	if a := p.Net.Address; a.Given() && (!a.V.IsValid() || a.V.Bits() < 1) {
		t.Errorf("address %v", a.V)
	}
	if g := p.Net.Gateway; g.Given() && (!g.V.IsValid() || g.V.Is4In6()) {
		t.Errorf("gateway %v", g.V)
	}
	if d := p.Root.Device.V; d.Disk < 0 || d.Disk > 18277 || d.Partition < 0 || d.Partition > 255 {
		t.Errorf("device %+v", d)
	}
	if p.Root.Wait.V < 0 || p.Root.Delay.V < 0 {
		t.Errorf("wait %v, delay %v", p.Root.Wait.V, p.Root.Delay.V)
	}
	if p.Policy.Timeout.V < 0 {
		t.Errorf("time limit %v", p.Policy.Timeout.V)
	}
	if p.Init.Given() && p.Init.V[0] != '/' {
		t.Errorf("init %q", p.Init.V)
	}
}

// checkTarget: no secret can be printed, and each portal reads back as it prints.
func checkTarget(t *testing.T, target bootspec.Target) {
	t.Helper()
	if n := target.Number; n < 0 || n > 9 || len(target.Portals) > 16 {
		t.Errorf("target %d with %d portals", n, len(target.Portals))
	}
	for _, portal := range target.Portals {
		again, err := parse("iscsi_a=" + portal.V.String())
		if err != nil || len(again.Targets[0].Portals) != 1 || again.Targets[0].Portals[0].V != portal.V {
			t.Errorf("portal %+v prints as %s, which is read as %+v, %v", portal.V, portal.V, again.Targets, err)
		}
	}
	for _, secret := range []bootspec.Value[iscsi.Secret]{target.CHAP.Secret, target.CHAP.TargetSecret} {
		b := string(secret.V.Bytes())
		if len(b) > 255 || secret.Given() && b == "" || len(b) >= 12 && strings.Contains(fmt.Sprintf("%v %+v %#v", target, target.CHAP, target), b) {
			t.Errorf("secret %q of %d bytes", b, len(b))
		}
	}
}

// checkSources checks that the sources of the plan's values are words of the line.
func checkSources(t *testing.T, p bootspec.Plan, line cmdline.Line) {
	t.Helper()
	sources := []string{
		p.Net.Interface.From, p.Net.MAC.From, p.Net.BootDevice.From, p.Net.HostName.From, p.Firmware.From, p.ByDHCP.From, p.Net.Address.From, p.Net.Gateway.From, p.Initiator.From,
		p.Login.Algorithms.From, p.Login.HeaderDigest.From, p.Login.DataDigest.From, p.Root.Device.From, p.Root.FSType.From, p.Root.Flags.From,
		p.Root.ReadWrite.From, p.Root.AnyDisk.From, p.Root.Wait.From, p.Root.Delay.From, p.Init.From, p.Policy.Timeout.From, p.Policy.Emergency.From, p.Policy.Shell.From,
		p.Policy.Debug.From, p.Policy.Panic.From,
	}
	for _, target := range p.Targets {
		sources = append(sources, target.Name.From, target.Group.From, target.LUN.From, target.CHAP.User.From, target.CHAP.Secret.From,
			target.CHAP.TargetUser.From, target.CHAP.TargetSecret.From)
		for _, portal := range target.Portals {
			sources = append(sources, strings.Split(portal.From, ", ")...)
		}
	}
	for _, n := range p.Net.Nameservers {
		sources = append(sources, n.From)
	}
	for _, d := range p.Root.Fallbacks {
		sources = append(sources, d.From)
	}
	for _, b := range p.Policy.Break {
		sources = append(sources, b.From)
	}
	for _, ip := range p.Net.IP {
		sources = append(sources, strings.Split(ip.From, ", ")...)
	}
	for _, from := range sources {
		from, _, _ = strings.Cut(from, ", ")
		key, _, _ := strings.Cut(strings.TrimSuffix(from, " without ip="), "=") // the name of a setting may follow
		if strings.Trim(from, "0123456789") == "th" || from == "2nd" || from == "3rd" {
			continue // which of several, no word
		}
		if from != "" && !slices.ContainsFunc(line.Params, func(p cmdline.Param) bool { return p.Key == key }) {
			t.Errorf("a value comes from %s, which is not in the line", from)
		}
	}
}

// FuzzIP reads values of ip=: what is taken reads back as it prints.
func FuzzIP(f *testing.F) {
	for _, s := range []string{
		"dhcp", "dhcp,dhcp6", "dhcp,1,abc", "eth0:dhcp:1500:52:54:00:12:34:56", "52-54-00-12-34-56:auto6::52-54-00-12-34-57", "10.1.1.5:10.1.1.1:10.1.1.1:255.255.255.0",
		"[2001:db8::5]::[2001:db8::1]:64:host:eth0:none:[2001:db8::53]:10.1.1.53:[2001:db8::7b]", "10.1.1.5:10.1.1.6/32::31::eth0:off", "10.1.1.5", ":::::enx525400123456:on", "[::1", "::",
		"eth0", "BOOTIF", "::::a:BOOTIF:dhcp", "eth0:static", "[52:54:00:12:34:56]:dhcp", "10.1.1.5:10.1.1.4::31", "eth0:none:::10.1.1.1", "all:dhcp4", "rarp",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ip, cause := bootspec.ParseIP(s)
		if len(cause) > 400 {
			t.Errorf("a cause of %d bytes", len(cause))
		}
		if cause != "" {
			return
		}
		if len(ip.Methods) == 0 || ip.Methods[0] == bootspec.Static && !ip.Address.IsValid() && ip.Device == "" && ip.MAC == "" {
			t.Errorf("%q is %+v", s, ip)
		}
		ip.Guessed, ip.PeerGuessed = false, false // it prints with its masks
		if again, cause := bootspec.ParseIP(ip.String()); cause != "" || !cmp.Equal(ip, again, equal) {
			t.Errorf("%q prints as %q, which is read as %s: %s", s, ip, again, cause)
		}
	})
}

// FuzzNetRoot reads what netroot=iscsi: holds. No cause repeats a secret, and what is taken is in
// its range.
func FuzzNetRoot(f *testing.F) {
	for _, s := range []string{
		"10.1.1.180::::iqn.x:y", "u:sesame-open-12:t:sesame-open-34@[fe80::1%eth0]:6:3261:default:eth1:0x10:eui.02004567A425678D", "@10.1.1.180::3260::iqn.x:di@sk",
		"storage::::eth0:7:disk:1", "storage:::a:b:3:disk", "a:b:c@10.1.1.180::::iqn.x", "10.1.1.180:iqn.x:y", "[::1]:::::", "u:p@ss-word-12345:x@h::::iqn.x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, cause := bootspec.ParseNetRoot(s)
		if cause != "" {
			if before, _, ok := strings.Cut(s, "@"); ok && len(before) > 40 && strings.Contains(cause, before) || len(cause) > 400 {
				t.Errorf("cause %q", cause)
			}
			return
		}
		if r.Name == "" || len(r.Name) > 223 || r.Portal.Host == "" || r.Portal.Port == 0 || len(r.Device) > 17 || (r.User == "") != r.Secret.Empty() {
			t.Errorf("%q is %+v", s, r)
		}
	})
}

// FuzzGather reads the files of an image and a command line together: no file causes a panic, and
// no secret of them is shown.
func FuzzGather(f *testing.F) {
	f.Add("ISCSI_INITIATOR=iqn.x:a\nISCSI_TARGET_IP=\"10.1.1.1 10.1.1.2\"\nISCSI_PASSWORD='sesame-open-12'", "InitiatorName=iqn.x:b", "# c\nip=dhcp", "iscsi_t=iqn.x:c", "quiet")
	f.Add("export ISCSI_AUTO=true # yes\nISCSI_PASSWORD=$(cat x)", "", "netroot=iscsi:u:sesame-open-12@h::::iqn.x", "", "root=LABEL=x")
	f.Fuzz(func(t *testing.T, debian, initiator, words, def, line string) {
		all, warnings := bootspec.Gather(fstest.MapFS{
			"etc/iscsi.initramfs": {Data: []byte(debian)}, "etc/initiatorname.iscsi": {Data: []byte(initiator)},
			"etc/cmdline.d/a.conf": {Data: []byte(words)}, "etc/iscsiroot/default": {Data: []byte(def)},
		}, cmdline.Parse(line))
		plan, err := bootspec.Parse(all)
		plan.Warnings = append(plan.Warnings, warnings...)
		checkSecrets(t, plan, err)
		for _, w := range plan.Warnings {
			if len(w) > 600 {
				t.Errorf("warning of %d bytes", len(w))
			}
		}
	})
}

// FuzzDevice reads names of root devices: what is taken reads back as it prints.
func FuzzDevice(f *testing.F) {
	for _, name := range []string{
		"/dev/sda2", "/dev/vda2", "8:2", "0802", "UUID=ABCD-EF01", `LABEL="my root"`, `LABEL=a\x20b\xff`, "PARTUUID=15c51007-01/PARTNROFF=4", "PARTLABEL=x",
		"/dev/disk/by-path/ip-2001:db8::1:860-iscsi-iqn.x-lun-0x4100000000000000-part2", "/dev/disk/by-id/wwn-0x5001020304050607-part3", "block:/dev/disk/by-uuid/1",
		"/dev/mapper/35001020304050607p2", "/dev/disk/by-id/dm-uuid-part2-mpath-1LIO-ORG_disk0", "/dev/mapper/mpathap2", "/dev/disk/by-label/dm-mpath-root",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		d, ok := bootspec.ParseDevice(name)
		if !ok {
			return
		}
		if again, ok := bootspec.ParseDevice(d.String()); !ok || again != d {
			t.Errorf("%q is %+v, which prints as %q and is read as %+v, %v", name, d, d, again, ok)
		}
		if d.Partition < 0 || d.Partition > 255 || d.Offset < -255 || d.Offset > 255 || d.By < bootspec.BySession || d.By > bootspec.ByOnlyMap {
			t.Errorf("%q is %+v", name, d)
		}
	})
}

// checkSecrets: messages about a plan contain none of its secrets. Short ones may be part of any
// word.
func checkSecrets(t *testing.T, plan bootspec.Plan, err error) {
	t.Helper()
	messages := strings.Join(append(plan.Warnings, plan.Explain()...), "\n")
	if err != nil {
		messages += err.Error()
	}
	for _, target := range plan.Targets {
		for _, s := range []iscsi.Secret{target.CHAP.Secret.V, target.CHAP.TargetSecret.V} {
			// The line itself may hold the same text in another place.
			if b := string(s.Bytes()); len(b) >= 12 && strings.Contains(messages, "="+b) {
				t.Errorf("secret %q is shown: %s", b, messages)
			}
		}
	}
}

// FuzzParseFile: what is written into an image as its policy is read from there as ParseFile reads
// it for the builder, or refused by both.
func FuzzParseFile(f *testing.F) {
	f.Add("rd.shell=0 root=LABEL=\"a b\"", 1)
	f.Add("  # rd.shell=0\nip=dhcp -- x", 1)
	f.Add("quiet ", 10923)
	f.Fuzz(func(t *testing.T, text string, many int) {
		text = strings.Repeat(text, max(0, many)%(1+(1<<17)/max(1, len(text))))
		want, err := bootspec.ParseFile(text, bootspec.FromPolicy)
		got, warnings := bootspec.Gather(fstest.MapFS{strings.TrimPrefix(bootspec.PolicyFile, "/"): {Data: []byte(text)}}, cmdline.Line{})
		if !slices.Equal(got.Params, want.Params) || (len(warnings) > 0) != (err != nil) || (err != nil) != (len(text) > 64<<10) {
			t.Errorf("%.60q: %d parameters, want %d; warnings %q, error %v", text, len(got.Params), len(want.Params), warnings, err)
		}
	})
}
