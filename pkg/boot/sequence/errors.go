package sequence

import "errors"

// Retryable reports whether a later attempt can succeed, by the method Retryable of an error in the
// tree of err. It is not named Temporary: syscall.Errno and net.Error have that method, with
// another meaning.
func Retryable(err error) bool {
	var r interface{ Retryable() bool }
	return errors.As(err, &r) && r.Retryable()
}

// AsRetryable returns err as an error for which Retryable is true.
func AsRetryable(err error) error { return retryable{err} }

// retryable is the error that AsRetryable returns.
type retryable struct{ error }

// Retryable is true.
func (retryable) Retryable() bool { return true }

func (r retryable) Unwrap() error { return r.error }

// Hint returns the advice of an error, "" if it has none.
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

// Hint is the advice.
func (h *hinted) Hint() string { return h.advice }

// WithHint adds advice to an error.
func WithHint(err error, advice string) error { return &hinted{err, advice} }
