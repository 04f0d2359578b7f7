package sequence

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// Retryable and hints are found however deep an error is wrapped, and in joined errors.
func TestErrorsOfSteps(t *testing.T) {
	plain := errors.New("broken")
	pass := &passing{plain}
	tests := []struct {
		err       error
		retryable bool
		hint      string
	}{
		{nil, false, ""},
		{plain, false, ""},
		{fmt.Errorf("login: %w", pass), true, ""},
		{WithHint(fmt.Errorf("login: %w", pass), "check the cable"), true, "check the cable"},
		{fmt.Errorf("login: %w", WithHint(plain, "check the cable")), false, "check the cable"},
		{errors.Join(plain, WithHint(io.EOF, "check the cable")), false, "check the cable"},
	}
	for _, tt := range tests {
		if Retryable(tt.err) != tt.retryable || Hint(tt.err) != tt.hint {
			t.Errorf("%v: retryable %v, hint %q, want %v, %q", tt.err, Retryable(tt.err), Hint(tt.err), tt.retryable, tt.hint)
		}
	}
	if err := WithHint(plain, "x"); err.Error() != "broken" || !errors.Is(err, plain) {
		t.Errorf("a hint changed the error to %q", err)
	}
}
