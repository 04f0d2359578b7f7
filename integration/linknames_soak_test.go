//go:build soak

package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The same on Debian 11's kernel, which does not say of any card how it came to its name.
func TestSoakNamesOnLinux510(t *testing.T) {
	namesCards(t, "amd64-5.10", "", func(*rig, *lab.Machine) {})
}
