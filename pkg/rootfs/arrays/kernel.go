package arrays

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// Kernel is the kernel's part of the arrays: array.Paths, and modules.
type Kernel interface {
	Load(ctx context.Context, module string) error
	Start(name string, minor int, members []array.Number) error
	Stop(name string) error
	List() ([]string, error)
	State(name string) (array.State, error)
}

// OfModules returns the kernel, whose modules are loaded by a function.
func OfModules(p array.Paths, load func(ctx context.Context, module string) error) Kernel {
	return moduleKernel{p, load}
}

type moduleKernel struct {
	array.Paths
	load func(ctx context.Context, module string) error
}

// Load implements Kernel.
func (k moduleKernel) Load(ctx context.Context, module string) error { return k.load(ctx, module) }
