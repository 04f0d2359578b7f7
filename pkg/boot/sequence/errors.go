package sequence

import "errors"

// Heals tells whether err says that a later try can succeed.
func Heals(err error) bool {
	var h interface{ Heals() bool }
	return errors.As(err, &h) && h.Heals()
}

// Temporary makes an error one that a later try may not have.
func Temporary(err error) error { return temporary{err} }

// temporary is an error that time may help against.
type temporary struct{ error }

// Heals makes it one.
func (temporary) Heals() bool { return true }

func (t temporary) Unwrap() error { return t.error }

// Hint returns what the error says to do.
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// hinted is an error with advice.
type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint says what to do.
func (h *hinted) Hint() string { return h.advice }

// WithHint adds advice to an error.
func WithHint(err error, advice string) error { return &hinted{err, advice} }
