package images

import (
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

func TestBusyboxMissing(t *testing.T) {
	t.Setenv("ISCSIROOT_CACHE", t.TempDir())
	if _, err := BusyboxRoot(); !errors.Is(err, deps.ErrNotCached) {
		t.Errorf("%v", err)
	}
}
