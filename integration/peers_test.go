package integration

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// Mutual CHAP at tgtd: right and wrong secrets on both sides. tgtd's SHA1 has the number of
// SHA-256, so the second attempt is with MD5 alone.
func TestTgtdMutualCHAP(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	r.startTgtd(targets.Config{CHAP: mutual})
	at := machineLine + targetLine + "iscsi_a=10.77.0.1 "
	m := r.bootToRoot(virtio, at+mutualLine, "guest: mount: /dev/sda2 / ext4 ro,")
	r.checkNoSecrets(m)
	wrong := strings.NewReplacer("quiet-otter-lantern", "some-other-secret")
	r.bootToFailure(at+wrong.Replace(mutualLine), "iscsiroot: login: login to "+targetName+" at 10.77.0.1:3260 refused (0201)")
	wrong = strings.NewReplacer("amber-violin-glacier", "some-other-secret")
	r.bootToFailure(at+wrong.Replace(mutualLine), "authentication: target's CHAP response is wrong")
	r.bootToFailure(at, "refused (0201)")
}

// No secret is found in the initramfs before switch-root either, with the sessions up and the
// credentials file read.
func TestNoSecretDuringBoot(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	r.startTgtd(targets.Config{CHAP: mutual})
	m := r.withFiles("rd.shell=/bin/sh rd.break=switch-root rd.debug iscsi_chap=md5 "+seedLine, images.Tree{
		"bin/sh":    images.Copy(built.guest()),
		"etc/hunts": images.Text(strings.ReplaceAll(searchWord(mutual.Secret)+searchWord(mutual.MutualSecret), "hunt:", "")),
		"etc/iscsiroot/credentials": secretFile(strings.Join([]string{
			targetName, mutual.User, mutual.Secret, mutual.MutualUser, mutual.MutualSecret,
		}, " ") + "\n"),
	})
	r.expect(m, "iscsiroot: break before step switch-root", "files and the log were read", "files and the log were read", verified)
	r.waitOff(m)
	r.checkNoSecrets(m)
	if strings.Contains(m.Output(), "guest: hunt: found") {
		t.Error("a secret was found during the boot")
	}
}

// One-way CHAP with a credentials file in the image, with digests of headers and data: no secret is
// found, and written data is on the target.
func TestTgtdOneWayCHAP(t *testing.T) {
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 160, Tree: dataTree(write() + " log" + searchWord(oneWay.Secret))})
	target := r.startTgtd(targets.Config{CHAP: oneWay, HeaderDigest: "CRC32C", DataDigest: "CRC32C"})
	img := r.withCredentials(targetName + " " + oneWay.User + " " + oneWay.Secret + "\n")
	m := r.bootToRoot(img, machineLine+targetLine+"iscsi_a=10.77.0.1 iscsi_header_digest=require iscsi_data_digest=require rw ",
		"guest: session: header_digest=1", "guest: session: data_digest=1", "files and the log were read")
	if strings.Contains(m.Output(), "guest: hunt: found") {
		t.Error("a secret was found in the running system")
	}
	r.checkNoSecrets(m)
	checkWritten(r.rig, target)
}

// IPv6 alone, and one of several LUNs by iscsi_lun=; for a LUN that does not exist the message
// lists those that do.
func TestTgtdIPv6AndLUNs(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	other := blank(t, 4)
	r.startTgtd(targets.Config{Portal: netip.MustParseAddrPort("[fd77::1]:3260"), LUNs: map[int]string{1: other, 7: other, 300: r.disk.Path}})
	at := "console=ttyS0 iscsi_i=" + initiator + " iscsi_i_ip=fd77::2/64 " + targetLine + "iscsi_a=[fd77::1]:3260 "
	r.bootToRoot(virtio, at+"iscsi_lun=300", "iscsiroot: disk sda is lun 300 of "+targetName, "guest: session: persistent_address=fd77::1")
	r.bootToRoot(virtio, at+"iscsi_lun=0x12c", "iscsiroot: disk sda is lun 300 of "+targetName)
	r.bootToNoDisk(at+"iscsi_lun=5", "lun 5", "300", "4 MiB")
}

// The same with gotgt, which has LUNs up to 255. Of two portals the first is unreachable.
func TestGotgtIPv6AndLUNs(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	c := r.targetConfig()
	c.Portal, c.Portals = netip.MustParseAddrPort("[fd77::1]:3260"), []netip.AddrPort{netip.MustParseAddrPort("10.77.0.9:3260")}
	c.LUNs = map[int]string{0: blank(t, 4), 7: r.disk.Path}
	if _, err := targets.StartGotgt(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	at := "console=ttyS0 iscsi_i=" + initiator + " iscsi_i_ip=fd77::2/64 " + targetLine + "iscsi_a=[fd77::1]:3260 "
	r.bootToRoot(virtio, at+"iscsi_lun=7", "iscsiroot: disk sda is lun 7 of "+targetName, "guest: session: persistent_address=fd77::1")
	r.bootToRoot(virtio, machineLine+targetLine+"iscsi_a=10.77.0.1:3271,10.77.0.9 iscsi_lun=7", "guest: session: persistent_address=10.77.0.9")
	r.bootToNoDisk(at+"iscsi_lun=5", "lun 5", "7", "4 MiB")
}

// A temporary redirect, from there a permanent one, and at last a login; and two targets that
// redirect to each other.
func TestTgtdRedirect(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	portal := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), uint16(3260+i))
	}
	r.startTgtd(targets.Config{Redirect: &targets.Redirect{To: portal(1)}})
	r.startTgtd(targets.Config{Portal: portal(1), Redirect: &targets.Redirect{To: portal(2), Permanent: true}})
	r.startTgtd(targets.Config{Portal: portal(2)})
	r.startTgtd(targets.Config{Portal: portal(3), Redirect: &targets.Redirect{To: portal(4)}})
	r.startTgtd(targets.Config{Portal: portal(4), Redirect: &targets.Redirect{To: portal(3)}})
	at := machineLine + targetLine
	r.bootToRoot(virtio, at+"iscsi_a=10.77.0.1", "iscsiroot: login to "+targetName+" at 10.77.0.1:3262")
	r.renew()
	m := r.boot(virtio, "", at+"iscsi_a=10.77.0.1:3263")
	r.expect(m, "iscsiroot: login: login to "+targetName, "redirect", "trying again")
}
