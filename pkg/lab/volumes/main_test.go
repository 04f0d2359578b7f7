package volumes

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
