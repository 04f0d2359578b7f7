package volumes

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// OfModules returns the kernel, whose modules are loaded by a function.
func OfModules(load func(ctx context.Context, module string) error) Kernel { return moduleKernel(load) }

type moduleKernel func(ctx context.Context, module string) error

// Load implements Kernel.
func (load moduleKernel) Load(ctx context.Context, module string) error { return load(ctx, module) }

// Open implements Kernel. The driver may be built in.
func (load moduleKernel) Open(ctx context.Context) (Mapper, error) {
	missing := load(ctx, "dm_mod")
	c, err := dm.Open(nil)
	switch {
	case err != nil && missing != nil:
		return nil, missing
	case err != nil:
		return nil, err
	}
	return c, nil
}
