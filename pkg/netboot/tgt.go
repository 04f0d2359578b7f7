package netboot

import (
	"fmt"
	"strings"
)

// tgt returns a configuration for tgt-admin. In place of a target that tgt cannot be given stands
// why.
func (r *Room) tgt() string {
	var b strings.Builder
	b.WriteString(written + "# tgt has a controller as LUN 0, so that a disk of LUN 0 here becomes LUN 1.\n")
	names, hosts := r.byTarget()
	lacks := r.tgtLacks()
	for _, name := range names {
		if why := lacks[name]; why != "" {
			fmt.Fprintf(&b, "\n# no target %s: %s\n", name, why)
			continue
		}
		fmt.Fprintf(&b, "\n<target %s>\n", name)
		once := map[string]bool{}
		add := func(text string) {
			if !once[text] {
				b.WriteString(text)
			}
			once[text] = true
		}
		for _, h := range hosts[name] {
			id := identity(h)
			add(fmt.Sprintf("    <backing-store %s>\n        lun %d\n        scsi_id %s\n        scsi_sn %s\n    </backing-store>\n", h.Disk, max(1, h.number()), id[:16], id[16:32]))
			add(fmt.Sprintf("    initiator-name %s\n", h.Initiator))
			add(fmt.Sprintf("    initiator-address %s\n", h.Address.Addr()))
			for _, a := range h.accounts() {
				add(fmt.Sprintf("    %s %s %s\n", a.key, a.user, a.secret))
			}
		}
		b.WriteString("</target>\n")
	}
	return b.String()
}

// account is a user with a secret, as tgt has them.
type account struct{ key, user, secret string }

// accounts returns those of a machine's target.
func (h Host) accounts() []account {
	if h.CHAP == nil {
		return nil
	}
	out := []account{{"incominguser", h.CHAP.User, string(h.CHAP.Secret.Bytes())}}
	if !h.CHAP.TargetSecret.Empty() {
		out = append(out, account{"outgoinguser", h.targetUser(), string(h.CHAP.TargetSecret.Bytes())})
	}
	return out
}

// tgtLacks tells, by the targets' names, why tgt cannot be given some of them.
func (r *Room) tgtLacks() map[string]string {
	out := map[string]string{}
	secrets := map[string]string{} // tgt's accounts are those of all targets
	names, hosts := r.byTarget()
	for _, name := range names {
		if why := tgtLacks(hosts[name], secrets); why != "" {
			out[name] = why
			continue
		}
		for _, h := range hosts[name] {
			for _, a := range h.accounts() {
				secrets[a.user] = a.secret
			}
		}
	}
	return out
}

// tgtLacks tells why tgt cannot be given the target of these machines; secrets are those of users
// that have one already. tgt-admin hands user and secret to a shell, without quotes, makes one
// account for all that have one user, takes the first outgoing user alone, and refuses a path with
// HASH in it. tgtadm cuts values at a comma.
func tgtLacks(hosts []Host, secrets map[string]string) string {
	luns, own, outgoing := map[int]Host{}, map[string]string{}, ""
	for _, h := range hosts {
		lun := max(1, h.number())
		if other, ok := luns[lun]; ok && other.LUN != h.LUN {
			return "LUN 0 becomes LUN 1, which there is too: use LUNs from 1"
		}
		luns[lun] = h
		if strings.Contains(h.Disk, "HASH") || strings.Contains(h.Disk, ",") {
			return "tgt refuses a path with a comma or HASH in it: give the disk another name"
		}
		for _, a := range h.accounts() {
			if !shellWord(a.user) || !shellWord(a.secret) {
				return "tgt-admin cannot be given a user or secret with a blank or another character than letters, digits and " + shellSafe
			}
			for _, known := range []map[string]string{secrets, own} {
				if other, ok := known[a.user]; ok && other != a.secret {
					return "tgt has one secret for each user, and there are two for one of its users: give each target a user of its own"
				}
			}
			own[a.user] = a.secret
			if a.key == "outgoinguser" && outgoing != "" && outgoing != a.user {
				return "tgt has one user that a target answers by, and its machines have two: use one"
			} else if a.key == "outgoinguser" {
				outgoing = a.user
			}
		}
	}
	return ""
}

// shellSafe are the characters beside letters and digits that mean nothing to a shell, nor to tgtd,
// to which tgtadm sends key=value,key=value.
const shellSafe = "._:-+=@%/^"

func shellWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !isLetterOrDigit(c) && !strings.ContainsRune(shellSafe, c) })
}
