package system

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// devices is a file as lvmdevices(8) of lvm2 2.03.16 writes it.
const devices = `# LVM uses devices listed in this file.
# Created by LVM command vgimportdevices pid 2817 at Mon Nov 30 14:00:00 2026
# HASH=1234
PRODUCT_UUID=3310fa39-f939-4bb6-8fc3-e89a16d966ff
VERSION=1.1.3
IDTYPE=sys_wwid IDNAME=naa.60000000000000000e00000000010001 DEVNAME=/dev/sda3 PVID=x9ZGZGfgreFiRs8cw7FTaS9m8AV0dTzZ PART=3
IDTYPE=devname IDNAME=/dev/sdb DEVNAME=/dev/sdb PVID=FjeFECWejKLCXLTua4XKfSeBWZdpn7lt
IDTYPE=md_uuid IDNAME=a:b DEVNAME=. PVID=.
`

func TestRead(t *testing.T) {
	got, err := Read(fstest.MapFS{
		"etc/fstab":                      {Data: []byte("# / was on /dev/sda1 during installation\n/dev/mapper/vg-root / ext4 errors=remount-ro 0 1\nUUID=ab-01 /boot ext4 defaults 0 2\n/dev/vg/usr /usr xfs ro 0 0\n/dev/mapper/vg-swap none swap sw 0 0\n")},
		"etc/lvm/devices/system.devices": {Data: []byte(devices)},
	})
	want := System{
		Mounts: []Mount{{"/dev/mapper/vg-root", "/", "ext4", true, "/dev/sda1"}, {"/dev/vg/usr", "/usr", "xfs", true, ""}},
		Devices: []PV{
			{"sys_wwid", "naa.60000000000000000e00000000010001", "/dev/sda3", "x9ZGZGfgreFiRs8cw7FTaS9m8AV0dTzZ", "3"},
			{"devname", "/dev/sdb", "/dev/sdb", "FjeFECWejKLCXLTua4XKfSeBWZdpn7lt", ""},
			{"md_uuid", "a:b", "", "", ""},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for i, follows := range []bool{true, true, false} {
		if got.Devices[i].FollowsDisk() != follows {
			t.Errorf("%+v follows its disk: %v", got.Devices[i], !follows)
		}
	}
	for i, place := range []string{"/dev/sda3", "/dev/sdb", "a:b"} {
		if p := got.Devices[i].Place(); p != place {
			t.Errorf("%+v is at %s", got.Devices[i], p)
		}
	}
}

func TestReadNothing(t *testing.T) {
	if got, err := Read(fstest.MapFS{}); err != nil || got.Mounts != nil || got.Devices != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for name, want := range map[string]string{"etc/fstab": "read etc/fstab: ", "etc/lvm/devices/system.devices": "read etc/lvm/devices/system.devices: "} {
		if _, err := Read(fstest.MapFS{name: {Data: make([]byte, maxFile+1)}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s that is too long: %v", name, err)
		}
	}
	for _, text := range []string{strings.Repeat("#\n", maxLines+1), "IDTYPE=x IDNAME=" + strings.Repeat("a", maxField+1)} {
		if _, err := ParseDevices(text); err == nil {
			t.Errorf("%.20q is read", text)
		}
	}
}

// FuzzDevices: what is written is read back.
func FuzzDevices(f *testing.F) {
	f.Add("sys_wwid", "naa.6", "/dev/sda", "x9", "3")
	f.Add("devname", "/dev/sdb", "", "", "")
	f.Fuzz(func(t *testing.T, idType, idName, device, id, part string) {
		want := PV{idType, idName, device, id, part}
		text := "IDTYPE=" + idType
		for _, field := range [][2]string{{"IDNAME", idName}, {"DEVNAME", device}, {"PVID", id}, {"PART", part}} {
			value := field[1]
			if value == "" {
				value = "."
			}
			text += fmt.Sprintf(" %s=%s", field[0], value)
		}
		for _, s := range []string{idType, idName, device, id, part} {
			if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x85 || r == 0xa0 || r > 0x7f }) || s == "." || len(s) > maxField {
				return
			}
		}
		got, err := ParseDevices("# comment\n" + text + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if idType == "" && got != nil || idType != "" && (len(got) != 1 || got[0] != want) {
			t.Errorf("%q is read as %+v", text, got)
		}
	})
}
