package netboot

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

var update = flag.Bool("update", false, "write what comes out to testdata/golden")

// files returns the files of the seed by their paths.
func files(t *testing.T, text string) map[string]File {
	t.Helper()
	list, err := room(t, text).Files("/srv/netboot")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]File{}
	for _, f := range list {
		if _, twice := out[f.Path]; twice {
			t.Errorf("%s is made twice", f.Path)
		}
		out[f.Path] = f
	}
	return out
}

// What comes out is what was looked at once.
func TestGolden(t *testing.T) {
	got := files(t, seed)
	for name, f := range got {
		golden := filepath.Join("testdata/golden", name)
		if strings.HasSuffix(name, ".img") {
			continue
		}
		if *update {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(got) != 15 {
		t.Errorf("%d files", len(got))
	}
}

// Secrets are where they have to be, in private files, and nowhere else.
func TestSecretsStayPrivate(t *testing.T) {
	for name, f := range files(t, seed) {
		has := strings.Contains(string(f.Data), "sesame") || strings.Contains(string(f.Data), "door")
		if has && !f.Secret {
			t.Errorf("%s holds a secret and is readable by everybody", name)
		}
		if f.Secret && !has {
			t.Errorf("%s is private and holds no secret", name)
		}
	}
}

// The image with a machine's secret is one that the kernel unpacks and init reads.
func TestSecretImage(t *testing.T) {
	f := files(t, seed)["tftp/secrets/remote2.img"]
	tree, err := archive.Read(f.Data, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	n, err := tree.Follow(bootspec.CredentialsPath)
	if err != nil || n.Mode != 0o100600 {
		t.Fatalf("%+v, %v", n, err)
	}
	c, err := bootspec.ParseCredentials(n.Data())
	if err != nil || len(c) != 1 || c[0].User != "user" || string(c[0].Secret.Bytes()) != "sesame-open" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestLIO(t *testing.T) {
	var c lioConfig
	if err := json.Unmarshal(files(t, seed)["lio.json"].Data, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Targets) != 1 || len(c.Targets[0].TPGs[0].ACLs) != 1 || c.Targets[0].TPGs[0].Attributes["authentication"] != 1 || c.Storage[0].WWN == "" {
		t.Errorf("%+v", c)
	}
}

func TestSpecialLoaders(t *testing.T) {
	text := strings.Replace(seed, "defaults:", "loader: ipxe\nhttp: http://10.1.1.1/boot/\ndefaults:", 1)
	got := files(t, text)
	if conf := string(got["dnsmasq.conf"].Data); !strings.Contains(conf, "dhcp-boot=tag:ipxe,http://10.1.1.1/boot/ipxe/boot.ipxe\n") || !strings.Contains(conf, "tag:!arm,undionly.kpxe\n") {
		t.Error(conf)
	}
	if script := string(got["tftp/ipxe/aa-bb-cc-dd-ee-fe.ipxe"].Data); !strings.Contains(script, "\nkernel http://10.1.1.1/boot/remote/vmlinuz-2.6.17-5mdv initrd=initrd.img ") {
		t.Error(script)
	}
	text = strings.Replace(seed, "server: 10.1.1.1", "server: 2001:db8::5", 1)
	if script := string(files(t, text)["tftp/ipxe/aa-bb-cc-dd-ee-fe.ipxe"].Data); !strings.Contains(script, "\nkernel tftp://[2001:db8::5]/remote/") {
		t.Error(script)
	}
}
