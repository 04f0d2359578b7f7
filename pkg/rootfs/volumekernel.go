package rootfs

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// volumeKernel returns the kernel's operations, or those of a test.
func (st *Storage) volumeKernel() volumeKernel {
	if st.volumes != nil {
		return st.volumes
	}
	return moduleKernel{st.Load}
}

// moduleKernel is the kernel, whose modules are loaded by a function.
type moduleKernel struct {
	load func(ctx context.Context, name string) error
}

// Load implements volumeKernel.
func (k moduleKernel) Load(ctx context.Context, module string) error { return k.load(ctx, module) }

// Open implements volumeKernel.
func (k moduleKernel) Open(ctx context.Context) (mapper, error) {
	missing := k.load(ctx, "dm_mod")
	c, err := dm.Open(nil)
	switch {
	case err != nil && missing != nil:
		return nil, missing
	case err != nil:
		return nil, err
	}
	return c, nil
}
