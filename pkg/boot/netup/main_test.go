package netup

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// TestMain lets tests run in namespaces of their own.
func TestMain(m *testing.M) { nstest.Main(m) }
