package bootspec

import (
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func (ps *parser) firmwareAll(p cmdline.Param) error {
	set(ps, &ps.allNICs, !off(p.Value), p)
	return nil
}

// setting reads open-iscsi's names of settings that are supported under other names; others are
// ignored with a warning. The setting's name is part of messages and sources.
func (ps *parser) setting(p cmdline.Param) error {
	const form = "NAME=VALUE, such as node.conn[0].iscsi.HeaderDigest=CRC32C"
	name, value, ok := strings.Cut(p.Value, "=")
	if strings.Contains(name, "auth.password") || strings.Contains(name, "auth.username") {
		p.Value = settingName(name) + "=" + redacted
		return bad(p, "CHAP cannot be set by this parameter", "iscsi_u= and iscsi_w=")
	}
	if !ok || name == "" {
		if p.Value = settingName(p.Value); p.Value != name {
			p.Value += redacted
		}
		return bad(p, "this is not a setting", form)
	}
	known := map[string]func(*parser, cmdline.Param) error{
		"node.conn[0].iscsi.HeaderDigest": (*parser).headerDigest,
		"node.conn[0].iscsi.DataDigest":   (*parser).dataDigest,
		"node.session.auth.chap_algs":     (*parser).algorithms,

		"node.session.timeo.replacement_timeout": (*parser).recoveryTimeout,
		"node.conn[0].timeo.noop_out_interval":   (*parser).pingInterval,
		"node.conn[0].timeo.noop_out_timeout":    (*parser).pingTimeout,
	}
	if set, ok := known[name]; ok {
		p.Key, p.Value = p.Key+"="+name, value
		return set(ps, p)
	}
	ps.warnf("%s=%s has no effect", p.Key, show(settingName(name)))
	return nil
}

// settingName cuts a text at the first character that no setting's name has: a secret may follow.
func settingName(s string) string {
	s = Redact(s)
	for _, secret := range []string{"auth.password", "auth.username"} {
		if before, after, ok := strings.Cut(s, secret); ok {
			s = before + secret
			if strings.HasPrefix(after, "_in") {
				s += "_in"
			}
		}
	}
	if i := strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("._[]", r) && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}); i >= 0 {
		s = s[:i]
	}
	return show(s)
}

func (ps *parser) retries(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil || n > 10000 {
		ps.warnf("%s is not a number from 0 to 10000 and is ignored", showWord(p))
		return nil
	}
	ps.warnf("%s is ignored: rd.timeout= limits how long a login is retried", source(p))
	return nil
}

// accept ignores a parameter that requests the only behaviour there is.
func (ps *parser) accept(cmdline.Param) error { return nil }

func (ps *parser) transport(p cmdline.Param) error {
	if slices.Contains([]string{"tcp", "iscsi_tcp", ""}, strings.ToLower(p.Value)) {
		return nil
	}
	return bad(p, "only iSCSI over the kernel's TCP is supported, no offload", "tcp, or nothing")
}
