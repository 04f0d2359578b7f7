package sequence

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// Healing and hints are found however deep an error is wrapped, and joined ones
// count as well.
func TestErrorsOfSteps(t *testing.T) {
	plain := errors.New("broken")
	healing := &heal{plain}
	tests := []struct {
		err   error
		heals bool
		hint  string
	}{
		{nil, false, ""},
		{plain, false, ""},
		{fmt.Errorf("login: %w", healing), true, ""},
		{WithHint(fmt.Errorf("login: %w", healing), "check the cable"), true, "check the cable"},
		{fmt.Errorf("login: %w", WithHint(plain, "check the cable")), false, "check the cable"},
		{errors.Join(plain, WithHint(io.EOF, "check the cable")), false, "check the cable"},
	}
	for _, tt := range tests {
		if Heals(tt.err) != tt.heals || Hint(tt.err) != tt.hint {
			t.Errorf("%v: heals %v, hint %q, want %v, %q", tt.err, Heals(tt.err), Hint(tt.err), tt.heals, tt.hint)
		}
	}
	if err := WithHint(plain, "x"); err.Error() != "broken" || !errors.Is(err, plain) {
		t.Errorf("a hint changed the error to %q", err)
	}
}
