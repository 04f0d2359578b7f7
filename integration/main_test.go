package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// built holds the programs that every test uses, and init as iscsiroot carries it; TestMain fills it.
var built struct {
	dir, init, guest, faulty string
	packed                   []byte
}

func TestMain(m *testing.M) {
	lab.Main()
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
	for out, pkg := range map[*string]string{
		&built.init:   "../cmd/init",
		&built.guest:  "./guest",
		&built.faulty: "./faulty",
	} {
		*out = filepath.Join(dir, filepath.Base(pkg))
		cmd := exec.CommandContext(context.Background(), "../scripts/gobuild.sh", "-o", *out, pkg)
		if text, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "integration: build %s: %v\n%s", pkg, err, text)
			return 1
		}
	}
	if built.packed, err = initramfs.PackInit(context.Background(), built.init); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		return 1
	}
	history.read()
	begin := time.Now()
	code := m.Run()
	times.write(os.Stdout)
	if err := history.write(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
	}
	fmt.Printf("integration: %s\n", short(time.Since(begin)))
	return code
}
