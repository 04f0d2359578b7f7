package rootfs

import (
	"context"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// A path that comes late is scanned for the LUNs that another has in use, and for none that was
// detached.
func TestLUNsOfPaths(t *testing.T) {
	st, k, found := twoPaths(t, true)
	st.luns = &attached{}
	found[0].Number = 1
	st.disks = st.use(t.Context(), found[:1])
	if luns := st.LUNsOfPaths(1); !slices.Equal(luns, []uint64{1}) {
		t.Fatalf("LUNs %v of %v", luns, k.tables)
	}
	st.detachAll(t.Context(), 0, []blockdev.LUN{found[0].LUN})
	if luns := st.LUNsOfPaths(1); len(luns) > 0 {
		t.Errorf("LUNs %v are scanned for, which were detached", luns)
	}
}

// attached is a lunKernel that detaches all.
type attached struct{ lunKernel }

func (*attached) Detach(context.Context, int, blockdev.LUN) error { return nil }
