package bootspec

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// strictCHAP reads iscsi_chap_strict.
func (ps *parser) strictCHAP(p cmdline.Param) error {
	set(ps, &ps.plan.Login.StrictCHAP, !off(p.Value), p)
	return nil
}

// check is iscsi.CHAP.Check; with iscsi_chap_strict it also refuses secrets below
// iscsi.MinSecretLen.
func (l Login) check(c *iscsi.CHAP) error {
	if err := c.Check(); err != nil || !l.StrictCHAP.V {
		return err
	}
	for _, short := range c.Warnings() {
		return fmt.Errorf("%s: %s refuses it", short, l.StrictCHAP.From)
	}
	return nil
}

// ShortSecret is a CHAP secret that is shorter than RFC 7143 9.2.1 requires.
type ShortSecret struct {
	Target string // its iSCSI name; empty: a source beside the command line names it
	Whose  string // "this machine's" or "the target's"
	Bytes  int    // 1 to iscsi.MinSecretLen-1
	From   string // the parameter, or the file and its line
}

// String describes the secret, without the target.
func (s ShortSecret) String() string {
	return fmt.Sprintf("%s CHAP secret in %s has %d bytes, RFC 7143 9.2.1 demands %d", s.Whose, s.From, s.Bytes, iscsi.MinSecretLen)
}

// ShortSecrets returns the short secrets of targets and of the lines of a file.
func ShortSecrets(targets []Target, lines []Credential) (out []ShortSecret) {
	for _, c := range lines {
		targets = append(targets[:len(targets):len(targets)], Target{Name: Value[string]{V: c.Target}, CHAP: c.chap()})
	}
	for _, t := range targets {
		for _, s := range []struct {
			owner  string
			secret Value[iscsi.Secret]
		}{{"this machine's", t.CHAP.Secret}, {"the target's", t.CHAP.TargetSecret}} {
			if n := len(s.secret.V.Bytes()); n > 0 && n < iscsi.MinSecretLen {
				out = append(out, ShortSecret{t.Name.V, s.owner, n, s.secret.From})
			}
		}
	}
	return out
}
