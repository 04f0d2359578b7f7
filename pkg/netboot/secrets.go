package netboot

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// secretsDir is where the machines' own images are.
const secretsDir = tree + "/secrets"

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

// lioLacks tells why LIO cannot be given a machine's CHAP, nil if it can: JSON is text, and LIO's
// attributes end at the first control character.
func (h Host) lioLacks() error {
	var errs []error
	for _, v := range []struct{ what, text string }{
		{"the machine's user", h.CHAP.User},
		{"the machine's secret", string(h.CHAP.Secret.Bytes())},
		{"the target's user", h.CHAP.TargetUser},
		{"the target's secret", string(h.CHAP.TargetSecret.Bytes())},
	} {
		switch {
		case !utf8.ValidString(v.text):
			errs = append(errs, fmt.Errorf("host %s: %s is not UTF-8, so that lio.json, which is JSON, cannot hold it: use one that is text", h.Name, v.what))
		case strings.ContainsFunc(v.text, unicode.IsControl):
			errs = append(errs, fmt.Errorf("host %s: %s has a control character, so that LIO cannot be given it in lio.json: use one without", h.Name, v.what))
		}
	}
	return errors.Join(errs...)
}
