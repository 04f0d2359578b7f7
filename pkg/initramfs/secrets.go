package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// holdsSecret reports whether the image may be read by its owner alone: parameters or a file in it
// hold a secret, or a file or directory of it may not be read by all users of this host.
func (img *image) holdsSecret() (bool, error) {
	cfg := img.cfg
	text := cfg.Policy + " " + cfg.Default
	if cfg.UKI != nil {
		text += " " + cfg.UKI.CommandLine
	}
	if cfg.Credentials != "" || wordsHoldSecret(text) || cfg.Append != "" && private(cfg.Append) || img.tree.holdsSecret() {
		return true, nil
	}
	if img.below == nil {
		return false, nil
	}
	found, err := treeHoldsSecret(img.below.tree)
	if err != nil {
		return false, fmt.Errorf("read image %s: %w", cfg.Append, err)
	}
	return found, nil
}

// private reports whether a file, or what is in a directory, may not be read by all users of this
// host.
func private(name string) bool {
	st, err := os.Stat(name)
	return err == nil && (st.Mode().Perm()&0o004 == 0 || st.IsDir() && st.Mode().Perm()&0o001 == 0)
}

// holdsSecret reads the user's files. One that cannot be read is an error when it is written.
func (t tree) holdsSecret() bool {
	for name, e := range t {
		if e.private {
			return true
		}
		if !e.userFile || e.mode&cpio.S_IFMT != cpio.S_IFREG || e.size > bootspec.MaxCredentials {
			continue
		}
		if data, err := e.content(bootspec.MaxCredentials); err == nil && fileHoldsSecret(data, isParameters(name)) {
			return true
		}
	}
	return false
}

// errSecret ends a look for secrets.
var errSecret = errors.New("a secret")

// treeHoldsSecret reads an image of another builder, whose files are read one at a time.
func treeHoldsSecret(t *archive.Tree) (bool, error) {
	parameters := map[any]bool{} // by file: it may have other names
	t.All(func(n *archive.Node) bool {
		if isParameters(n.Name) {
			parameters[n.File()] = true
		}
		return true
	})
	err := t.Contents(func(n *archive.Node, r io.Reader) error {
		if n.Length() > bootspec.MaxCredentials {
			return nil
		}
		data, err := io.ReadAll(r)
		if err == nil && fileHoldsSecret(data, parameters[n.File()]) {
			err = errSecret
		}
		return err
	})
	if errors.Is(err, errSecret) {
		return true, nil
	}
	return false, err
}

// fileHoldsSecret reports whether a file is one of credentials under any name, has a password of
// open-iscsi's iscsid.conf or node records, or is one of parameters and has a secret among them.
func fileHoldsSecret(data []byte, parameters bool) bool {
	if lines, err := bootspec.ParseCredentials(data); err == nil && len(lines) > 0 {
		bootspec.Plan{Credentials: lines}.Forget()
		return true
	}
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte("="))
		key = bytes.TrimSpace(key)
		if bytes.Contains(key, []byte(".auth.password")) && !bytes.ContainsAny(key, "# \t") && len(bytes.TrimSpace(value)) > 0 {
			return true
		}
		if parameters && !bytes.HasPrefix(key, []byte("#")) && wordsHoldSecret(string(line)) {
			return true
		}
	}
	return false
}

// isParameters reports whether a file is one of those of bootspec.Gather, or would be where the
// directory above it is mounted or linked.
func isParameters(name string) bool {
	for _, one := range []string{bootspec.PolicyFile, bootspec.DefaultFile, "/etc/cmdline", "/etc/iscsi.initramfs", "/etc/initiatorname.iscsi"} {
		if strings.HasSuffix("/"+name, one) {
			return true
		}
	}
	return strings.Contains("/"+name, "/cmdline.d/")
}

// wordsHoldSecret reports whether any word of a command line is a secret, or the hash of one.
func wordsHoldSecret(text string) bool {
	known := bootspec.NewVocabulary()
	for _, p := range cmdline.Parse(text).Params {
		if known.Secret(p) || p.Key == "rd.shell.password" {
			return true
		}
	}
	return false
}

// Credentials returns the CHAP secrets of an image, none without a file of them; an error is that
// of bootspec.ParseCredentials. It is for archive.Tree.Settle.
func Credentials(t *archive.Tree) ([]bootspec.Credential, error) {
	n, err := t.Follow(bootspec.CredentialsPath)
	switch {
	case err != nil || n.Type() != archive.TypeRegular:
		return nil, nil
	case n.Length() > bootspec.MaxCredentials:
		return bootspec.ParseCredentials(make([]byte, bootspec.MaxCredentials+1)) // only the length is needed
	}
	data, err := t.Content(n)
	if err != nil {
		return nil, nil // Settle calls again
	}
	return bootspec.ParseCredentials(bytes.Clone(data))
}
