package kmod

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestSubset(t *testing.T) {
	x := debian(t)
	mods, err := x.Plan("fs-ext4", "virtio_net", "ipmi_msghandler")
	if err != nil {
		t.Fatal(err)
	}
	sub := x.Subset(mods, func(p string) string { return strings.TrimSuffix(p, ".ko") + ".o" })
	got := map[string]string{}
	for _, f := range sub.Files() {
		got[f.Name] = string(f.Data)
	}
	wantDep := `kernel/drivers/virtio/virtio.o: kernel/drivers/virtio/virtio_ring.o
kernel/drivers/virtio/virtio_ring.o:
kernel/drivers/net/net_failover.o: kernel/net/core/failover.o
kernel/drivers/net/virtio_net.o: kernel/drivers/net/net_failover.o kernel/net/core/failover.o kernel/drivers/virtio/virtio.o kernel/drivers/virtio/virtio_ring.o`
	for line := range strings.SplitSeq(wantDep, "\n") {
		if !strings.Contains(got[depFile], line+"\n") {
			t.Errorf("modules.dep missing %q:\n%s", line, got[depFile])
		}
	}
	if n := strings.Count(got[depFile], "\n"); n != len(mods) {
		t.Errorf("modules.dep has %d lines for %d modules", n, len(mods))
	}
	wantSoft := "softdep ipmi_msghandler post: ipmi_devintf\nsoftdep ext4 pre: crypto-crc32c\nsoftdep jbd2 pre: crypto-crc32c\n"
	if diff := cmp.Diff(sorted(wantSoft), sorted(got[softdepFile])); diff != "" {
		t.Errorf("modules.softdep (-want +got):\n%s", diff)
	}
	if strings.Contains(got[aliasFile], "btrfs") || !strings.Contains(got[aliasFile], "alias crypto-crc32c crc32c_intel\n") {
		t.Errorf("modules.alias:\n%s", got[aliasFile])
	}
	sameAnswers(t, x, reread(t, sub), mods)
}

// sameAnswers checks that the smaller index plans as the whole one does.
func sameAnswers(t *testing.T, whole, small *Index, mods []Module) {
	t.Helper()
	for _, m := range mods {
		want, err1 := whole.Steps(m.Name)
		got, err2 := small.Steps(m.Name)
		if err1 != nil || err2 != nil || len(want) != len(got) {
			t.Fatalf("%s: %v %v, %v %v", m.Name, want, err1, got, err2)
		}
		for i := range want {
			if want[i].Name != got[i].Name || want[i].Soft != got[i].Soft {
				t.Errorf("%s: step %d is %v, want %v", m.Name, i, got[i], want[i])
			}
		}
	}
}

func sorted(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		out[line] = true
	}
	return out
}

// reread writes an index and reads it again.
func reread(t testing.TB, x *Index) *Index {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range x.Files() {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	out, err := Read(fsys)
	if err != nil {
		t.Fatalf("what Files wrote is not read: %v", err)
	}
	return out
}
