package netup

import (
	"fmt"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Portals with a host name have no address before the network is up.
func TestPortals(t *testing.T) {
	plan, err := bootspec.Parse(cmdline.Parse("iscsi_i=iqn.2007-01.com.example:m iscsi_i_ip=10.0.0.2/24" +
		" iscsi_t=iqn.2007-01.com.example:a iscsi_a=10.0.0.1,storage,[fd09::1] iscsi_t.2=iqn.2007-01.com.example:b iscsi_a.2=storage"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(portals(plan.Targets)); got != "[[10.0.0.1 fd09::1] []]" {
		t.Errorf("portals %s", got)
	}
}
