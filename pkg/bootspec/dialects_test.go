package bootspec_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Lines of other initramfs and the same with iscsiroot's parameters: the plans are equal, except
// for the names of the sources.
func TestDialects(t *testing.T) {
	for _, tt := range []struct {
		name, line, same string
		warn             []string // the beginnings of all warnings
	}{
		{
			"Debian's variables, on a Raspberry Pi",
			"net.ifnames=0 console=tty1 ip=::::rpi4:eth0:dhcp root=LABEL=RPI4-NODE1 rootfstype=ext4 elevator=deadline rootwait fixrtc ISCSI_INITIATOR=iqn.2007-01.com.example:server.remote1 " +
				"ISCSI_TARGET_NAME=iqn.2007-01.com.example:storage.remote1 ISCSI_TARGET_IP=10.77.0.1 ISCSI_TARGET_PORT=3260 rw",
			"net.ifnames=0 ip=::::rpi4:eth0:dhcp root=LABEL=RPI4-NODE1 rootfstype=ext4 rootwait iscsi_i=iqn.2007-01.com.example:server.remote1 " +
				"iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_a=10.77.0.1 iscsi_p=3260 rw",
			nil,
		},
		{
			"Debian's variables with a secret and a host's name",
			"ip=dhcp rw ISCSI_TARGET_NAME=iqn.2007-01.com.example:storage.remote1 ISCSI_TARGET_IP=storage1 ISCSI_INITIATOR=iqn.2007-01.com.example:server.remote1 ISCSI_USERNAME=inputname " +
				"ISCSI_TARGET_GROUP=1 ISCSI_PASSWORD=averylongsecret1 root=LABEL=lv1 rootflags=data=journal",
			"ip=dhcp rw iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_a=storage1 iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_u=inputname iscsi_g=1 iscsi_w=averylongsecret1 " +
				"root=LABEL=lv1 rootflags=data=journal",
			[]string{"all users of this machine can read the secret in ISCSI_PASSWORD= "},
		},
		{
			"Debian's list of addresses, mutual CHAP, and the firmware",
			`ISCSI_AUTO=true ISCSI_TARGET_IP="10.1.1.1 10.1.1.2" ISCSI_TARGET_NAME=iqn.x:t ISCSI_IN_USERNAME=it ISCSI_IN_PASSWORD=averylongsecret2`,
			"iscsi_firmware iscsi_a=10.1.1.1,10.1.1.2 iscsi_t=iqn.x:t iscsi_U=it iscsi_W=averylongsecret2",
			[]string{"all users of this machine can read the secret in ISCSI_IN_PASSWORD= ", "ISCSI_AUTO= asks for the firmware's target, "},
		},
		{
			"genkernel's",
			"root=/dev/ram0 real_root=/dev/sda1 ip=dhcp doscsi iscsi_initiatorname=iqn.2010-01.org.example:client iscsi_target=iqn.2010-01.org.example:gentoo iscsi_tgpt=1 iscsi_address=192.0.2.9 " +
				"iscsi_port=3260 iscsi_username=me iscsi_password=verysecretpw iscsi_username_in=it iscsi_password_in=verysecretpw2 iscsi_debug=1 iscsi_noibft",
			"root=/dev/sda1 ip=dhcp iscsi_i=iqn.2010-01.org.example:client iscsi_t=iqn.2010-01.org.example:gentoo iscsi_g=1 iscsi_a=192.0.2.9 " +
				"iscsi_p=3260 iscsi_u=me iscsi_w=verysecretpw iscsi_U=it iscsi_W=verysecretpw2 rd.iscsi.firmware=0",
			[]string{"all users of this machine can read the secret in iscsi_password= ", "iscsi_debug= has no effect here: write rd.debug"},
		},
		{
			"genkernel's secret of the target alone, and its program",
			"real_root=LABEL=root init=/linuxrc real_init=/sbin/openrc-init real_rootflags=noatime iscsi_password_in=verysecretpw2 gk.emergency=poweroff gk.prompt.timeout=5",
			"root=LABEL=root init=/sbin/openrc-init rootflags=noatime iscsi_W=verysecretpw2 rd.emergency=poweroff",
			[]string{"all users of this machine can read the secret in iscsi_password_in= ", "gk.prompt.timeout= has no effect here: a genkernel setting"},
		},
		{
			"SUSE mkinitrd's",
			"ip=dhcp TargetAddress=192.0.2.10 TargetName=iqn.2005-10.org.example:d1 TargetPort=3260 InitiatorName=iqn.2005-10.org.example:i1 root=/dev/sda2",
			"ip=dhcp iscsi_a=192.0.2.10 iscsi_t=iqn.2005-10.org.example:d1 iscsi_p=3260 iscsi_i=iqn.2005-10.org.example:i1 root=/dev/sda2",
			nil,
		},
		{"SUSE mkinitrd's name of the image", "InitiatorName=default iSCSI_ignoreNodes=1 TargetName=iqn.x:t", "iscsi_t=iqn.x:t", nil},
		{"a Raspberry Pi's script", "iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_t_ip=10.1.1.1 rootdev=UUID=0123-4567 rootfs=ext4 init=/linuxrc", "iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.1.1.1 root=UUID=0123-4567", []string{"rootfs= has no effect here: write rootfstype="}},
		{"words of old boot loaders", "root=/dev/ram0 iscsi_t=iqn.x:t", "iscsi_t=iqn.x:t", []string{"root=/dev/ram0 is ignored: "}},
		{"NetworkManager's, booster's and Alpine's", "rd.net.dns=dns+tls://10.1.1.1 rd.net.dhcp.client-id=01:02 rd.net.dhcp.retry=3 rd.modules_force_load=e1000 booster.log=debug modules=loop,ext4 ip6=dhcp", "", []string{
			"rd.net.dns= has no effect here: write nameserver=ADDRESS", "rd.net.dhcp.client-id= ", "rd.net.dhcp.retry= ", "rd.modules_force_load= ", "booster.log= has no effect here: write rd.debug", "modules= ", "ip6= ",
		}},
		{"the kernel's words for md arrays", "md=0,/dev/sda,/dev/sdb md=d1,/dev/sdc1,/dev/sdd1 raid=part raid=partitionable raid=autodetect root=/dev/md0", "raid=part raid=partitionable raid=autodetect root=/dev/md0", []string{
			"md= has no effect here: arrays are found by their superblocks, and those of version 0.90 are not supported", "md= ",
		}},
		{"words for the shell", "break=mount blacklist=e1000 noload=e1000 scandelay=3 rd.retry=10 iscsi=10.1.1.1;iqn.x:t", "modprobe.blacklist=e1000", []string{
			"break= has no effect here: write rd.break=STEP", "noload= ", "scandelay= ", "rd.retry= ", "iscsi= has no effect here: write iscsi_a=ADDRESS:PORT and iscsi_t=NAME",
		}},
	} {
		got, err1 := parse(tt.line)
		want, err2 := parse(tt.same)
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", tt.name, err1, err2)
		}
		if diff := cmp.Diff(want, got, equal, anySource, noWarnings); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
		checkWarnings(t, tt.name, got.Warnings, tt.warn)
		for _, p := range cmdline.Parse(tt.line).Params {
			if bootspec.Secret(p) && strings.Contains(fmt.Sprint(got.Warnings, got.Explain(), err1), p.Value) {
				t.Errorf("%s: the secret in %s is shown", tt.name, p.Key)
			}
		}
	}
}

// anySource compares values alone.
var anySource = cmp.Options{
	valueOnly[string](), valueOnly[bool](), valueOnly[uint16](), valueOnly[bootspec.Portal](), valueOnly[bootspec.IP](), valueOnly[bootspec.Device](),
	valueOnly[iscsi.Secret](), valueOnly[netip.Prefix](), valueOnly[bootspec.Emergency](),
	cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "ModuleLists.From" }, cmp.Ignore()),
}

func valueOnly[T any]() cmp.Option {
	return cmp.Transformer("", func(v bootspec.Value[T]) struct {
		V     T
		Given bool
	} {
		return struct {
			V     T
			Given bool
		}{v.V, v.Given()}
	})
}

var noWarnings = cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Warnings" }, cmp.Ignore())

// checkWarnings compares the beginnings of warnings.
func checkWarnings(t *testing.T, name string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: warnings are %q, want %q", name, got, want)
		return
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) {
			t.Errorf("%s: warning is %q, want %q", name, got[i], w)
		}
	}
}

// The words of other initramfs that hold secrets, or look so, are secrets.
func TestSecretsOfDialects(t *testing.T) {
	for key, want := range map[string]bool{
		"ISCSI_PASSWORD": true, "ISCSI_IN_PASSWORD": true, "iscsi_password_in": true, "iscsi_password": true, "ISCSI_PASSWORD.2": true, "iscsi_passwort": true, "isci_w": true, "ISCSI_W": true,
		"Iscsi_Secret": true, "cifspass": true, "ISCSI_USERNAME": false, "iscsi_username_in": false, "TargetName": false, "quiet": false, "overlayroot": false,
	} {
		if bootspec.Secrets(key) != want {
			t.Errorf("Secrets(%q) is %v", key, !want)
		}
	}
	if !bootspec.Secret(cmdline.Param{Key: "real_root", Value: "iscsi:u:sesame-open-12@10.1.1.1::::iqn.x:t", HasValue: true}) {
		t.Error("the secret in real_root=iscsi: is none")
	}
	_, err := parse("root=cifs://user:sesame-open-12@10.1.1.1/share")
	if err == nil || strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), "a CIFS root is not supported") {
		t.Errorf("error is %v", err)
	}
}
