package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// commitNumber is the first eight digits of the hash of the tested commit.
var commitNumber = sync.OnceValues(func() (uint64, error) {
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return 0, fmt.Errorf("git rev-parse HEAD: %w: set ROW=N or ROW=all", err)
	}
	return strconv.ParseUint(string(out[:min(8, len(out))]), 16, 64)
})

// rows are the rows to test of a matrix of n rows: in make soak all, in make test one, which the
// commit's hash selects. ROW=N selects another one, from 0 on, modulo n, and ROW=all all. The name
// of a test with a matrix must end in Matrix, by which make soak selects it.
func rows(t *testing.T, n int) []int {
	t.Helper()
	if !strings.HasSuffix(t.Name(), "Matrix") {
		t.Fatal("make soak does not run this test: call it ...Matrix")
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	choice := os.Getenv("ROW")
	if choice == "all" || choice == "" && soaking {
		return all
	}
	number, err := strconv.ParseUint(choice, 10, 64)
	if choice == "" {
		number, err = commitNumber()
	}
	if err != nil {
		t.Fatalf("choose a row of the matrix: %v", err)
	}
	chosen := int(number % uint64(n))
	t.Logf("row %d of %d: ROW=N selects another one, ROW=all all", chosen, n)
	return all[chosen : chosen+1]
}
