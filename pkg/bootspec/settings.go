package bootspec

import (
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func (ps *parser) firmwareAll(p cmdline.Param) error {
	ps.multipath = !off(p.Value)
	return nil
}

// setting takes open-iscsi's name of what we have under another; the rest has
// no effect, and that is said.
func (ps *parser) setting(p cmdline.Param) error {
	name, value, ok := strings.Cut(p.Value, "=")
	if !ok || name == "" {
		return bad(p, "this is no setting", "NAME=VALUE, such as node.conn[0].iscsi.HeaderDigest=CRC32C")
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
		p.Value = value
		return set(ps, p)
	}
	if strings.Contains(name, "auth.password") || strings.Contains(name, "auth.username") {
		return bad(cmdline.Param{Key: p.Key, Value: clip(name), HasValue: true, Pos: p.Pos, Origin: p.Origin}, "CHAP is not set here", "iscsi_u= and iscsi_w=")
	}
	ps.warnf("%s=%s has no effect with us", p.Key, clip(name))
	return nil
}

func (ps *parser) retries(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil || n > 10000 {
		ps.warnf("%s is no number from 0 to 10000 and does nothing", clip(p.String()))
		return nil
	}
	ps.warnf("%s does nothing: a login is tried as long as rd.timeout= says", source(p))
	return nil
}

// accept takes what is so with us anyway.
func (ps *parser) accept(cmdline.Param) error { return nil }

func (ps *parser) transport(p cmdline.Param) error {
	if slices.Contains([]string{"tcp", "iscsi_tcp", ""}, p.Value) {
		return nil
	}
	return bad(p, "only the kernel's TCP is supported, no offload", "tcp, or nothing")
}
