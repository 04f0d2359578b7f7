package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// roomDeadline is for building a package and for two machines that boot beside each other from their cards' ROMs.
const roomDeadline = 10 * time.Minute

// patience is for Debian's own script for tgt, which does not wait for tgtd to listen, as its unit for systemd does: there is no
// systemd in a chroot, and on a busy machine the script fails where nothing is wrong.
const patience = `service() {
  command service "$@" || until tgtadm --mode sys --op show >/dev/null 2>&1; do sleep 0.2; done
}
`

// What iscsiroot-netboot(7) has about a room of diskless machines is what happens: its lines are typed as they stand there, on a Debian that
// has the packages they name but nothing of ours, and at the end two machines that differ in their MAC addresses alone have
// booted different roots.
func TestRoomOfTheManual(t *testing.T) {
	begin(t)
	ctx, cancel := context.WithTimeout(t.Context(), roomDeadline)
	defer cancel()
	commands, promised := roomOfManual(t)
	kernel, err := deps.FindKernel("amd64")
	if err != nil {
		t.Fatal(err)
	}
	at, environ := goTree(t)
	at[copySource(t)] = "/root/iscsiroot"
	at[filepath.Dir(kernel.Image)] = "/boot"
	out, err := inDebian(ctx, t, "room", environ+patience+"cd /root/iscsiroot\n"+commands, at)
	out = strings.ReplaceAll(out, "\r", "") // of the machines' serial ports
	if err != nil || !strings.HasSuffix(out, promised) {
		t.Errorf("%v; wanted at the end:\n%s\nprinted:\n%s", err, promised, out)
	}
}

// roomOfManual returns the commands and what the page shows as the end of their output.
func roomOfManual(t *testing.T) (commands, promised string) {
	t.Helper()
	text, err := os.ReadFile("../pkg/manual/pages/iscsiroot-netboot.7.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, name := range []string{"room", "room-output"} {
		_, rest, begins := strings.Cut(string(text), "<!-- "+name+" -->\n")
		inside, _, ends := strings.Cut(rest, "<!-- /"+name+" -->\n")
		if parts[name] = indented(inside); !begins || !ends || parts[name] == "" {
			t.Fatalf("iscsiroot-netboot(7) has nothing between <!-- %[1]s --> and <!-- /%[1]s -->", name)
		}
	}
	return parts["room"], parts["room-output"]
}

// indented returns the lines that Markdown shows as they are.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			b.WriteString(code)
		}
	}
	return b.String()
}

// goTree is what building needs besides the sources, by where it is here and where it is to be.
func goTree(t *testing.T) (at map[string]string, environ string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := strings.Fields(string(out))
	at = map[string]string{dirs[0]: "/usr/local/go", dirs[1]: "/root/go/pkg/mod", dirs[2]: "/root/.cache/go-build"}
	return at, "export PATH=$PATH:/usr/local/go/bin GOFLAGS=-mod=readonly GOPROXY=off\n"
}
