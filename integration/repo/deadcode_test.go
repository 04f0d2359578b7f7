package repo_test

import (
	"slices"
	"strings"
	"testing"
)

// There is no function that neither a program nor a test reaches.
func TestDeadCode(t *testing.T) {
	for _, line := range deadCode(t, "-test", "./...") {
		t.Errorf("%s: no program and no test calls it: remove it", line)
	}
}

// targetSide is the target's half of the codec in pkg/iscsi. iscsitest and the fuzzers use it; it
// stays beside the initiator's half, so that both directions of a PDU are read in one file.
var targetSide = []string{"LoginResponse.PDU", "NOPIn.PDU", "ParseLogoutRequest", "ParseNOPOut", "ParseTextRequest"}

// What no program reaches is for tests alone, and stands in a package of testOnly or in a _test.go
// file: other code would be kept for tests that only keep it.
func TestDeadCodeInPrograms(t *testing.T) {
	var codec []string
	for _, line := range deadCode(t, "./cmd/...", "./scripts/...") {
		file, name, _ := strings.Cut(line, ": unreachable func: ")
		switch {
		case slices.ContainsFunc(testOnly, func(pkg string) bool { return strings.HasPrefix(file, pkg+"/") }):
		case strings.HasPrefix(file, "pkg/iscsi/") && slices.Contains(targetSide, name):
			codec = append(codec, name)
		default:
			t.Errorf("%s: no program calls it: remove it, or move it to the tests that do", line)
		}
	}
	slices.Sort(codec)
	if !slices.Equal(codec, targetSide) {
		t.Errorf("of %q only %q are for tests alone: correct targetSide", targetSide, codec)
	}
}

// deadCode lists the functions that are not reached, FILE:LINE:COLUMN and a name. It checks the
// programs that are released: what is for another operating system, or behind a build tag, is left
// out.
func deadCode(t *testing.T, args ...string) []string {
	t.Helper()
	return strings.FieldsFunc(goCommand(t, nil, append([]string{"tool", "deadcode"}, args...)...), func(c rune) bool { return c == '\n' })
}
