package sequence_test

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// The stack of a panic is logged, line by line; of other errors nothing is.
func TestLogStack(t *testing.T) {
	log := &steptest.Recorder{}
	sequence.LogStack(log, io.EOF)
	if got := log.All(); len(got) > 0 {
		t.Errorf("log is %q", got)
	}
	sequence.LogStack(log, &sequence.Failure{Step: "login", Err: &contain.PanicError{Value: "oops", Stack: "goroutine 1:\n\tmain.go:1"}})
	want := []string{"error this is a bug in iscsiroot: please report it with the lines that follow", "error goroutine 1:", "error main.go:1"}
	if diff := cmp.Diff(want, log.All()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
