package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// A DHCP server that reserves addresses by a client identifier made of the hardware address, which
// the firmware's DHCP may have sent just before, gives the reserved address. The lease in the
// hand-over has that identifier.
func TestReservationByMAC(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, Tree: root("network")})
	r.gotgt()
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.0,static,255.255.255.0,1h", "--dhcp-host=id:01:52:54:00:77:00:01,10.77.0.2")
	m := r.boot(virtio, "", console+"ip=dhcp iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1")
	r.expect(m, "iscsiroot: network: ens2: waiting for a DHCP server, request 3, client identifier 01:52:54:00:77:00:01",
		"iscsiroot: network: ens2 is up with 10.77.0.2/24 from 10.77.0.1", "set iscsi_dhcp_id=mac to avoid two unanswered requests",
		"guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: link: ens2 up 10.77.0.2/24", "guest: file: lease-ens2: client-id=01525400770001")
}
