package bootspec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// netRootForm is dracut's form, which includes Debian's.
const netRootForm = "iscsi:[USER:SECRET[:TARGET-USER:TARGET-SECRET]@]HOST:[PROTOCOL]:[PORT]:[[IFACE]:[NIC]:][LUN]:TARGET"

// NetRoot is a target in the form of dracut's netroot=iscsi:.
type NetRoot struct {
	Portal Portal
	Device string // NIC to reach it by; empty: any
	Iface  string // open-iscsi's interface, which is ignored
	LUN    iscsi.LUN
	// HasLUN distinguishes LUN 0 from no LUN.
	HasLUN bool
	Name   string
	// User and Secret authenticate this machine, the others the target; all may be empty.
	User, TargetUser     string
	Secret, TargetSecret iscsi.Secret
}

// ParseNetRoot reads the text after "iscsi:". cause describes what is wrong, without any part of
// the text that may be a secret; it is empty if nothing is.
func ParseNetRoot(s string) (r NetRoot, cause string) {
	switch i := strings.IndexFunc(s, notInName); {
	case len(s) > maxNetRoot:
		return r, fmt.Sprintf("it has more than %d bytes", maxNetRoot)
	case i >= 0:
		return r, "it contains a blank, a control character or invalid UTF-8"
	}
	// As in dracut the first @ ends the credentials, if four colons follow.
	if before, after, ok := strings.Cut(s, "@"); ok && strings.Count(after, ":") >= 4 {
		if cause = r.credentials(before); cause != "" {
			return NetRoot{}, cause
		}
		s = after
	}
	host, rest, ok := cutHost(s)
	if !ok {
		return NetRoot{}, "there is no colon after the host"
	}
	fields, name := cutTarget(rest)
	for _, cause := range []string{r.host(host), r.fields(fields), r.name(name)} {
		if cause != "" {
			return NetRoot{}, cause
		}
	}
	return r, ""
}

// maxNetRoot is the limit of the whole text in bytes: a name, a host, four credentials.
const maxNetRoot = 2048

func (r *NetRoot) credentials(s string) string {
	if s == "" {
		return "" // dracut's form of a name that contains an @
	}
	t := strings.Split(s, ":")
	if len(t) != 2 && len(t) != 4 {
		return fmt.Sprintf("%d parts before the @, want USER:SECRET or USER:SECRET:TARGET-USER:TARGET-SECRET, none of which can contain a colon or an @", len(t))
	}
	var err1, err2 error
	r.User = t[0]
	r.Secret, err1 = iscsi.ParseSecret(t[1])
	if len(t) == 4 {
		r.TargetUser = t[2]
		r.TargetSecret, err2 = iscsi.ParseSecret(t[3])
	}
	if err1 != nil || err2 != nil || r.User == "" || len(r.User) > maxCHAPName || len(r.TargetUser) > maxCHAPName {
		return "before the @ a user or a secret is missing or longer than 255 bytes"
	}
	return ""
}

// cutHost cuts the host from the front; IPv6 keeps its brackets.
func cutHost(s string) (host, rest string, ok bool) {
	if strings.HasPrefix(s, "[") {
		if i := strings.Index(s, "]:"); i >= 0 {
			return s[:i+1], s[i+2:], true
		}
	}
	return strings.Cut(s, ":")
}

// cutTarget separates the fields from the name: at the last part that begins as a name does, or
// after the LUN if none does.
func cutTarget(s string) (fields []string, name string) {
	at := -1
	for _, typ := range []string{":iqn.", ":eui.", ":naa."} {
		at = max(at, strings.LastIndex(":"+s, typ))
	}
	switch {
	case at == 0:
		return nil, s
	case at > 0:
		return strings.Split(s[:at-1], ":"), s[at:]
	}
	t := strings.Split(s, ":")
	if len(t) < 3 {
		return t, ""
	}
	n := 3 // protocol, port, LUN
	if rest := t[2:]; len(rest) > 3 && (rest[0] != "" || rest[1] != "") && strings.Trim(rest[2], "0123456789") == "" {
		n = 5 // and interface and NIC
	}
	return t[:n], strings.Join(t[n:], ":")
}

func (r *NetRoot) host(s string) string {
	portal, ok := parsePortal(s)
	if !ok || portal.Port != 0 {
		return "the host is neither an address nor a name; write IPv6 in brackets"
	}
	r.Portal = Portal{portal.Host, DefaultPort}
	return ""
}

// fields reads [PROTOCOL [PORT [[[IFACE] NIC] LUN]]].
func (r *NetRoot) fields(t []string) string {
	if len(t) > 5 {
		return fmt.Sprintf("%d parts between host and target, want five at most", len(t))
	}
	if len(t) > 0 && !isTCP(t[0]) {
		return noTCP
	}
	if len(t) > 1 && t[1] != "" {
		port, err := strconv.ParseUint(t[1], 10, 16)
		if err != nil || port == 0 {
			return "the port is not a number from 1 to 65535"
		}
		r.Portal.Port = uint16(port)
	}
	if len(t) < 3 {
		return ""
	}
	if len(t) == 5 {
		r.Iface = t[2]
	}
	if len(t) >= 4 {
		if nic := t[len(t)-2]; nic != "" {
			var ok bool
			if r.Device, ok = readNIC(nic); !ok {
				return "the field before the LUN is not a NIC name"
			}
		}
	}
	return r.lun(t[len(t)-1])
}

// lun reads a LUN as dracut and Debian do, in decimal, unless it can only be RFC 4173's hex.
func (r *NetRoot) lun(s string) string {
	if s == "" {
		return ""
	}
	var err error
	if strings.ContainsAny(s, "-") || !strings.HasPrefix(s, "0x") && strings.ContainsAny(s, "abcdefABCDEF") {
		r.LUN, err = iscsi.ParseHexLUN(s)
	} else {
		r.LUN, err = iscsi.ParseLUN(s)
	}
	if r.HasLUN = err == nil; err != nil {
		return "the LUN is neither a decimal number nor groups of hex digits"
	}
	return ""
}

func (r *NetRoot) name(s string) string {
	switch {
	case s == "":
		return "the target's name is missing"
	case len(s) > maxName:
		return "the target's name has more than 223 bytes"
	case !hasNameType(s) && strings.Contains(s, "@"):
		return "a user and a secret have no place in the target's name: they stand before the host"
	}
	r.Name = s
	return ""
}

// netroot reads dracut's netroot=. The values iscsi and ibft select the iBFT's target.
func (ps *parser) netroot(p cmdline.Param) error {
	switch v := p.Value; {
	case v == "iscsi", v == "iscsi:", v == "iscsi:ibft", v == "ibft":
		return ps.firmware(p)
	case v == "dhcp", v == "dhcp6", v == "":
		ps.plan.ByDHCP = Value[bool]{true, source(p)}
		return nil
	case strings.HasPrefix(v, "iscsi:"):
		return ps.addNetRoot(p, strings.TrimPrefix(v, "iscsi:"))
	}
	return otherProtocol(p, "only iSCSI over TCP is supported", netRootForm)
}

// iscsiroot reads the old name of netroot=, whose values have no iscsi:.
func (ps *parser) iscsiroot(p cmdline.Param) error {
	return ps.addNetRoot(p, strings.TrimPrefix(p.Value, "iscsi:"))
}

// rootISCSI reads root=iscsi:, which takes precedence over netroot=.
func (ps *parser) rootISCSI(p cmdline.Param) error {
	if p.Value == "iscsi" || p.Value == "iscsi:" {
		return ps.firmware(p)
	}
	return ps.addNetRoot(p, strings.TrimPrefix(p.Value, "iscsi:"))
}

func (ps *parser) addNetRoot(p cmdline.Param, text string) error {
	r, cause := ParseNetRoot(text)
	switch {
	case cause != "":
		p.Value = strings.TrimSuffix(p.Value, text) + showNetRoot(text)
		if cause == noTCP {
			return otherProtocol(p, cause, netRootForm)
		}
		return bad(p, cause, netRootForm)
	case len(ps.netroots) == maxTargets:
		return tooMany(p, "more than 9 targets", "fewer")
	}
	n := 0
	for _, d := range ps.netroots {
		if d.key == p.Key {
			n++
		}
	}
	from := nth(source(p), n)
	d := draft{key: p.Key, given: true}
	d.Name = Value[string]{r.Name, from}
	d.Portals = []Value[Portal]{{r.Portal, from}}
	if nic, ok := readPathNIC(r.Device); ok {
		d.PortalNICs = []Value[NIC]{{nic, from}}
	}
	if r.HasLUN {
		d.LUN = Value[iscsi.LUN]{r.LUN, from}
	}
	d.netCHAP(r, from)
	if !r.Secret.Empty() {
		ps.warnReadable(p)
	}
	if r.Iface != "" && r.Iface != "default" {
		ps.warnf("%s: the interface %s of open-iscsi is ignored", from, show(r.Iface))
	}
	if n := &ps.plan.Net; r.Device != "" && !n.Interface.Given() {
		n.Interface = Value[string]{r.Device, from}
	}
	ps.netroots = append(ps.netroots, d)
	return nil
}

func (d *draft) netCHAP(r NetRoot, from string) {
	if r.User == "" {
		return
	}
	d.CHAP.User, d.CHAP.Secret = Value[string]{r.User, from}, Value[iscsi.Secret]{r.Secret, from}
	if !r.TargetSecret.Empty() {
		d.CHAP.TargetSecret = Value[iscsi.Secret]{r.TargetSecret, from}
	}
	if r.TargetUser != "" {
		d.CHAP.TargetUser = Value[string]{r.TargetUser, from}
	}
}
