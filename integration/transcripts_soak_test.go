//go:build soak

package integration

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

var updateTranscripts = flag.Bool("update", false, "update testdata/transcripts")

// transcript is a boot with rd.debug, up to the text that ends it.
type transcript struct {
	boot func(*rig) *lab.Machine
	end  string
}

// TestSoakTranscripts compares all lines of twenty boots, with rd.debug, with recorded ones. Times
// and random numbers are removed. Lines are compared as sets: those of steps that run in parallel
// come in any order. A refactoring does not change these files; another change updates them: go
// test -tags soak -run TestSoakTranscripts ./integration -update.
func TestSoakTranscripts(t *testing.T) {
	t.Parallel()
	for name, tr := range transcripts() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			m := tr.boot(r)
			r.expect(m, tr.end)
			if err := m.Stop(); err != nil {
				t.Fatal(err)
			}
			output := m.Output()
			output = output[:strings.LastIndex(output, tr.end)+len(tr.end)]
			compareTranscript(t, filepath.Join("testdata", "transcripts", name+".txt"), plainLines(output))
		})
	}
}

func compareTranscript(t *testing.T, file string, got []string) {
	t.Helper()
	if *updateTranscripts {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: missing: %s", file, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: new: %s", file, line)
		}
	}
}

// varying are the parts that differ from boot to boot: the kernel's clock, durations, sizes of the
// image, ports and random numbers.
var varying = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`^\[ *\d+\.\d+\] `), ""},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(ns|us|µs|ms|s|m)\b`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (KiB|MiB|kB|MB)\b`), "SIZE"},
	{regexp.MustCompile(`\b(request|try|attempt|pid|process) \d+`), "$1 N"},
	{regexp.MustCompile(`/\d{4,5}\b|:[3-6]\d{4}\b`), "PORT"},
	{regexp.MustCompile(`\bUUID=[0-9a-f-]{36}\b`), "UUID=RANDOM"},
	{regexp.MustCompile(`\bsize=\d+k,nr_inodes=\d+`), "size=SIZE"},
	{regexp.MustCompile(`\bUPTIME='\d+'`), "UPTIME=TIME"},
	{regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`), "HEX"},
}

// plainLines are the lines of init and guest without their varying parts, each once, sorted.
func plainLines(output string) []string {
	var lines []string
	for line := range strings.SplitSeq(output, "\n") {
		line = strings.TrimSpace(line)
		for _, v := range varying {
			line = v.what.ReplaceAllString(line, v.with)
		}
		own := strings.HasPrefix(line, "iscsiroot") || strings.HasPrefix(line, "guest: ")
		if own && !strings.HasPrefix(line, "guest: schedstat") && !strings.HasPrefix(line, "guest: uptime") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

const (
	diskUUID  = "6b656e63-0000-4000-8000-000000000001"
	realInit  = "guest: end"
	lastWords = "iscsiroot: rebooting in 60 s"
)

func transcripts() map[string]transcript {
	all := transcriptsOfBoots()
	stages := caseStages()
	for _, name := range []string{
		"wrong-interface", "wrong-secret", "no-chap", "no-root", "no-filesystem", "no-fs-driver", "overlay", "bad-options", "no-init-here", "root-path",
	} {
		all["fails-"+name] = transcript{stages[name], lastWords}
	}
	return all
}

// transcriptsOfBoots are boots that reach the real init.
func transcriptsOfBoots() map[string]transcript {
	const line = console + "rd.debug " + seedLine
	disk := func(r *rig) {
		r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, UUID: diskUUID, Label: "root", Tree: root("network")})
	}
	plain := func(words string) transcript {
		return transcript{func(r *rig) *lab.Machine {
			disk(r)
			r.gotgt()
			return r.boot(virtio, "", line+" "+words)
		}, realInit}
	}
	return map[string]transcript{
		"seed":      plain(""),
		"uuid":      plain("root=UUID=" + diskUUID + " rw"),
		"label":     plain("root=LABEL=root rootflags=noatime"),
		"partuuid":  plain("root=PARTLABEL=none rootfallback=/dev/sda2 rootwait=1"),
		"dracut":    plain("rd.iscsi.initiator=" + initiator + " netroot=iscsi:10.77.0.1::::" + targetName + " root=/dev/disk/by-uuid/" + diskUUID),
		"two-hosts": plain("iscsi_a=10.77.0.1,10.77.0.99 panic=10"),
		"chap": {func(r *rig) *lab.Machine {
			r.chapTarget(mutual, "")
			return r.boot(virtio, "", line+" "+mutualLine)
		}, realInit},
		"dhcp": {func(r *rig) *lab.Machine {
			disk(r)
			r.tgtd()
			r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-option=option:root-path,iscsi:10.77.0.1::::"+targetName,
				"--dhcp-option=203,"+initiator)
			return r.boot(virtio, "", console+"rd.debug ip=dhcp root=dhcp")
		}, realInit},
		"lun-search": {func(r *rig) *lab.Machine {
			disk(r)
			c := r.targetConfig()
			c.LUNs = map[int]string{0: r.emptyDisk(), 7: r.disk.Path}
			if _, err := targets.StartGotgt(r.ctx, r.ns, c); err != nil {
				r.t.Fatal(err)
			}
			return r.boot(virtio, "", line+" root=UUID="+diskUUID)
		}, realInit},
		"busy-target": {func(r *rig) *lab.Machine {
			return scripted(iscsitest.Status(0x0301), "rd.debug")(r)
		}, "trying again"},
	}
}
