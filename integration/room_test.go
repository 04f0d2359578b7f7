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

// roomDeadline is for building a package and for two machines that boot in parallel from the ROMs
// of their NICs.
const roomDeadline = 10 * time.Minute

// tgtService wraps Debian's init script for tgt, which, unlike the systemd unit, does not wait for
// tgtd to listen: there is no systemd in a chroot, and on a busy machine the script fails although
// tgtd starts.
const tgtService = `service() {
  command service "$@" || until tgtadm --mode sys --op show >/dev/null 2>&1; do sleep 0.2; done
}
`

// The commands of iscsiroot-netboot(7) for a room of diskless machines are executed as they are, on
// a Debian with the packages they name and without iscsiroot; at the end two machines that differ
// in their MAC addresses alone have booted different roots.
func TestNetbootPageRoom(t *testing.T) {
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
	out, err := inDebian(ctx, t, "room", environ+tgtService+"cd /root/iscsiroot\n"+commands, at)
	out = strings.ReplaceAll(out, "\r", "") // of the machines' serial ports
	if err != nil || !strings.HasSuffix(out, promised) {
		t.Errorf("%v; want at the end:\n%s\noutput:\n%s", err, promised, out)
	}
}

// roomOfManual returns the commands of the page and the end of their output that it shows.
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

// indented returns the lines of Markdown's code blocks.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			b.WriteString(code)
		}
	}
	return b.String()
}

// goTree maps the directories that a build needs besides the sources to their places in the chroot.
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
