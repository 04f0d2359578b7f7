//go:build soak

package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The same on Debian 11's kernel, which has no name_assign_type for these NICs.
func TestSoakLinkFileOnLinux510(t *testing.T) {
	bootWithLinkFile(t, "amd64-5.10", "", func(*rig, *lab.Machine) {})
}
