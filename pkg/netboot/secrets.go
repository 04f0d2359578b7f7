package netboot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// secretsDir is where the machines' own images are.
const secretsDir = tree + "/secrets"

// DefaultTFTPUser is dnsmasq's user in distributions' packages.
const DefaultTFTPUser = "dnsmasq"

// ShortSecrets warns of CHAP secrets that RFC 7143 9.2.1 forbids. They are refused for new hosts:
// those whose image below tftp/secrets is not in dir yet.
func (r *Room) ShortSecrets(dir string) (warnings []string, err error) {
	var errs []error
	for _, h := range r.Hosts {
		if h.CHAP == nil {
			continue
		}
		for _, s := range bootspec.ShortSecrets(nil, []bootspec.Credential{*h.CHAP}) {
			text := fmt.Sprintf("host %s: chap: %s secret has %d bytes, RFC 7143 9.2.1 demands %d", h.Name, s.Whose, s.Bytes, iscsi.MinSecretLen)
			if exists(path.Join(dir, tree, h.secretImage())) {
				warnings = append(warnings, text)
			} else {
				errs = append(errs, errors.New(text+": write a longer one here and at the target"))
			}
		}
	}
	return warnings, errors.Join(errs...)
}

// GiveSecrets makes the files with secrets that a TFTP server sends, and their directory, those of
// a user; empty means DefaultTFTPUser, which changes no owner that they were given before. The
// directory gets mode 0700. The message tells what could not be done and what to do, empty if
// nothing: without privilege, or where there is no such user, they stay the caller's.
func GiveSecrets(dir, name string, files []File) (msg string, err error) {
	if !slices.ContainsFunc(files, func(f File) bool { return path.Dir(f.Path) == secretsDir }) {
		return "", nil
	}
	where := path.Join(dir, secretsDir)
	if err := os.Chmod(where, 0o700); err != nil {
		return "", fmt.Errorf("give away secrets: %w", err)
	}
	asked := name != ""
	if !asked {
		name = DefaultTFTPUser
	}
	if os.Geteuid() != 0 {
		return fmt.Sprintf("%s belongs to the user that wrote it, because only root can give it to %s: a TFTP server with another user cannot read it", where, name), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Sprintf("%s belongs to root, because there is no user %s: name the TFTP server's user in --tftp-user", where, name), nil
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, give(where, uid, gid, asked)); err != nil {
		return "", fmt.Errorf("give %s to %s: %w", where, name, err)
	}
	for _, f := range files {
		if f.Secret && strings.HasPrefix(f.Path, tree+"/") {
			if err := give(path.Join(dir, f.Path), uid, gid, asked); err != nil {
				return "", fmt.Errorf("give %s to %s: %w", f.Path, name, err)
			}
		}
	}
	return "", nil
}

// give changes the owner of a file, of one that is root's only unless always is set.
func give(name string, uid, gid int, always bool) error {
	st, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if own, ok := st.Sys().(*syscall.Stat_t); ok && own.Uid != 0 && !always {
		return nil
	}
	return os.Lchown(name, uid, gid)
}

// holdsSecret tells whether a file that was written before holds a secret, in any of our formats.
func holdsSecret(name string, data []byte) bool {
	if path.Dir(name) == secretsDir {
		return true
	}
	for _, word := range []string{"incominguser ", "outgoinguser ", "set password ", "set reverse-password ", `"chap_password"`, `"chap_mutual_password"`} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	known := bootspec.NewVocabulary()
	return slices.ContainsFunc(cmdline.Parse(string(data)).Params, func(p cmdline.Param) bool { return known.Secret(p) })
}

// lioSecret tells why LIO cannot be given a secret, nil if it can: JSON is text, and LIO's
// attributes end at the first control character.
func lioSecret(h Host, what string, s iscsi.Secret) error {
	switch text := string(s.Bytes()); {
	case !utf8.ValidString(text):
		return fmt.Errorf("host %s: %s secret is not UTF-8, so that lio.json, which is JSON, cannot hold it: use one that is text", h.Name, what)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("host %s: %s secret has a control character, so that LIO cannot be given it in lio.json: use one without", h.Name, what)
	}
	return nil
}
