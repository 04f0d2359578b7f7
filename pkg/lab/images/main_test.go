package images

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// What is not run as root is root of a user namespace here: the files of its file systems belong to
// root then.
func TestMain(m *testing.M) { nstest.Main(m) }
