package boot

import "github.com/iscsiroot/iscsiroot/pkg/boot/sequence"

// Those that only the tests of root.go and the like know.

const maxPause = sequence.MaxPause

type temporary struct{ error }

func (temporary) Heals() bool     { return true }
func (t temporary) Unwrap() error { return t.error }
