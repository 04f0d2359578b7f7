package boot

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// The names of package sequence as disk.go, root.go and what belongs to them know
// them. They go together with those files.

func heals(err error) bool { return sequence.Heals(err) }

func hint(err error) string { return sequence.Hint(err) }

func withHint(err error, advice string) error { return sequence.WithHint(err, advice) }

func doing(ctx context.Context, what string) (end func()) { return sequence.Doing(ctx, what) }

const secondLine = sequence.SecondLine

type backoff struct{ sequence.Backoff }

func (b *backoff) wait(ctx context.Context) { b.Wait(ctx) }

type nag struct {
	log  sequence.Logger
	step string
	told sequence.RetryLog
}

func (n *nag) failed(err error) {
	n.told.Log, n.told.Step = n.log, n.step
	n.told.Failed(err)
}

func (n *nag) healed() {
	n.told.Log, n.told.Step = n.log, n.step
	n.told.Healed()
}
