package netboot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// manifest lists what was written, as sha256sum(1) does, so that files of machines that are no more
// can be removed, and files that were changed since differ from their hashes. A hash of a file with
// a secret is a secret too: the mode is 0600.
const manifest = ".iscsiroot-pxe"

// maxManifest bounds the manifest in bytes: five files for each machine, and six for all, with
// paths of less than 128 bytes.
const maxManifest = (5*maxHosts + 6) * (2*sha256.Size + 2 + 128)

// record is what the manifest has: the hashes of files by their paths. A hash is empty in manifests
// of versions before there were hashes.
type record map[string]string

// manifestOf returns the manifest of files.
func manifestOf(files []File) (File, error) {
	var b strings.Builder
	b.WriteString(written)
	for _, f := range files {
		fmt.Fprintf(&b, "%s  %s\n", hash(f.Data), f.Path)
	}
	if b.Len() > maxManifest {
		return File{}, fmt.Errorf("%s: more than %d bytes: use fewer hosts", manifest, maxManifest)
	}
	return File{Path: manifest, Data: []byte(b.String()), Secret: true}, nil
}

func hash(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// parseManifest reads a manifest. Lines that no run writes are passed over.
func parseManifest(text []byte) (record, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("more than %d bytes: it is not pxe's, remove it", maxManifest)
	}
	out := record{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		sum, name, ok := strings.Cut(line, "  ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size {
			sum, name = "", line
		}
		if !strings.HasPrefix(line, "#") && fs.ValidPath(name) && name != "." {
			out[name] = sum
		}
	}
	return out, nil
}

// readManifest reads the manifest of an earlier run; it is empty if there was none.
func readManifest(dir string) (record, error) {
	name := path.Join(dir, manifest)
	text, err := initramfs.ReadRegular(name, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	var out record
	if err == nil {
		out, err = parseManifest(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read what was written before: %s: %w", name, err)
	}
	return out, nil
}

// isOurs tells whether a file is as the last run has written it.
func (r record) isOurs(name string, data []byte) bool {
	sum, ok := r[name]
	return ok && (sum == "" || sum == hash(data))
}

// ForeignError is that files are not as the last run has written them, or that no run has: they
// were changed by hand.
type ForeignError struct {
	Dir   string
	Paths []string // below Dir
}

// Error names all files.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("write to %s: changed by hand, or not written by pxe, and would be lost: %s", e.Dir, strings.Join(e.Paths, ", "))
}

// foreign returns an error if changes would lose what another program or a person has written.
func foreign(dir string, changes []Change) error {
	e := &ForeignError{Dir: dir}
	for _, c := range changes {
		if c.Foreign {
			e.Paths = append(e.Paths, c.File.Path)
		}
	}
	if len(e.Paths) == 0 {
		return nil
	}
	slices.Sort(e.Paths)
	return e
}
