package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// built are the programs that tests use, each built at its first use, and init in the packed form
// in which iscsiroot embeds it.
var built struct {
	dir                 string
	init, guest, faulty func() string
	packed              func() []byte
}

func TestMain(m *testing.M) {
	targets.Main()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "iscsiroot-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built.dir = dir
	built.init, built.guest, built.faulty = program("../cmd/init"), program("./guest"), program("./faulty")
	built.packed = sync.OnceValue(func() []byte {
		packed, err := initramfs.PackInit(context.Background(), built.init())
		if err != nil {
			panic(err)
		}
		return packed
	})
	history.read()
	code := m.Run()
	times.write(os.Stdout)
	if err := history.write(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
	}
	return code
}

// program builds a program as it is released, once. It panics on an error, since no test can run
// without the program.
func program(pkg string) func() string {
	return sync.OnceValue(func() string {
		begin := time.Now()
		out := filepath.Join(built.dir, filepath.Base(pkg))
		cmd := exec.CommandContext(context.Background(), "../scripts/gobuild.sh", "-o", out, pkg)
		if text, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build %s: %v\n%s", pkg, err, text))
		}
		fmt.Printf("integration: built %s in %s\n", filepath.Base(pkg), short(time.Since(begin)))
		return out
	})
}
