package netboot

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tgtBlock is a block of tgt.conf.
type tgtBlock struct {
	options map[string][]string
	blocks  map[string]*tgtBlock // by kind and name
}

var tgtSplit = regexp.MustCompile(`\s*=\s*|\s+`)

// readTGT reads a configuration as Perl's Config::General does for tgt-admin (_read and _parse): a
// # begins a comment anywhere, and key and value are split at the first blank or equals sign.
func readTGT(text string) (*tgtBlock, error) {
	stack := []*tgtBlock{{map[string][]string{}, map[string]*tgtBlock{}}}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		top := stack[len(stack)-1]
		switch {
		case line == "":
		case strings.HasSuffix(line, `\`), strings.HasSuffix(line, "/>"), strings.Contains(line, "<<"), strings.HasPrefix(line, "include"):
			return nil, errors.New("more than an option or a block: " + line)
		case strings.HasPrefix(line, "</"):
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				return nil, errors.New("ends no block: " + line)
			}
		case strings.HasPrefix(line, "<") && strings.HasSuffix(line, ">"):
			b := &tgtBlock{map[string][]string{}, map[string]*tgtBlock{}}
			name := strings.Join(strings.Fields(line[1:len(line)-1]), " ")
			if top.blocks[name] != nil {
				return nil, errors.New("a block twice: " + name)
			}
			top.blocks[name] = b
			stack = append(stack, b)
		default:
			kv := tgtSplit.Split(line, 2)
			if len(kv) != 2 {
				return nil, errors.New("no value: " + line)
			}
			top.options[kv[0]] = append(top.options[kv[0]], kv[1])
		}
	}
	if len(stack) != 1 {
		return nil, errors.New("a block does not end")
	}
	return stack[0], nil
}

// FuzzTGT: what tgt-admin reads is what the hosts file has, and can be handed to a shell; or there
// is no target at all.
func FuzzTGT(f *testing.F) {
	s := usual()
	f.Add(s["target"], s["initiator"], s["address"], s["disk"], s["lun"], "user", "twelve-bytes-12")
	f.Add("iqn.x:t=u", "iqn.x:#i", "2001:db8::7/64", "/srv/a=bc+d@e%f~g:h[1](2)!*?.img", "0", "u=1", "a*bc def;ghi#j")
	f.Add("iqn.x:t", "iqn.x:i", "10.1.1.165/26", "/srv/HASH.img", "0x4001", "u", "$(reboot)-1234")
	f.Add("iqn.x:t", "iqn.x:i", "10.1.1.165/26", "/dev/disk/", "3", "ü", "!abcdefghijkl")
	f.Fuzz(func(t *testing.T, target, initiator, address, disk, lun, user, secret string) {
		if strings.ContainsAny(user+secret, "\"\\\n\r") {
			return // another line, or quoted otherwise
		}
		s := usual().with("target", target, "initiator", initiator, "address", address, "disk", disk, "lun", lun)
		delete(s, "gateway")
		r := s.room(t, fuzzedServer, `"`+user+`" "`+secret+`" "" "back-`+secret+`"`)
		if r == nil || disk == "" {
			return
		}
		h := r.Hosts[0]
		got, err := readTGT(r.tgt())
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if left := r.tgtLacks()[h.Target]; left != "" {
			if len(got.blocks) != 0 {
				t.Errorf("%d targets, though %s", len(got.blocks), left)
			}
			return
		}
		b := got.blocks["target "+target]
		if b == nil || len(got.blocks) != 1 || len(b.blocks) != 1 || b.blocks["backing-store "+disk] == nil {
			t.Fatalf("%+v of %q", got, s)
		}
		if strings.Contains(disk, ",") { // tgtd: key=value,key=value
			t.Errorf("tgtd cuts the path %q", disk)
		}
		want := map[string][]string{
			"initiator-name": {initiator}, "initiator-address": {h.Address.Addr().String()},
			"incominguser": {user + " " + string(h.CHAP.Secret.Bytes())}, "outgoinguser": {target + " " + string(h.CHAP.TargetSecret.Bytes())},
		}
		if !maps.EqualFunc(b.options, want, slices.Equal) {
			t.Errorf("%q of %q", b.options, s)
		}
		for _, v := range slices.Concat(b.options["incominguser"], b.options["outgoinguser"]) { // tgt-admin: sub execute
			if strings.Count(v, " ") != 1 || strings.ContainsAny(v, "*?[](),!~$`&|;<>{}'\"\\#\t") {
				t.Errorf("a shell would read %q", v)
			}
		}
	})
}

// What tgt cannot be given is left out as a whole, with the reason in the file and in a message; no
// target stays without its secret.
func TestLeftOutOfTGT(t *testing.T) {
	second := "  - {name: remote3, mac: 'aa:bb:cc:dd:ee:03', address: 10.1.1.167/26, disk: /srv/3.img, "
	for _, c := range []struct{ line, old, text, want string }{
		{`u "secret with blanks"`, "", "", "tgt-admin cannot be given a user or secret with a blank"},
		{"u (secret-1234567)", "", "", "tgt-admin cannot be given a user or secret with a blank"},
		{"u twelve-bytes-12", "/srv/{name}", "/srv/HASH/{name}", "tgt refuses a path with a comma or HASH in it"},
		{"u twelve-bytes-12", "/srv/{name}", "/srv/a,{name}", "tgt refuses a path with a comma or HASH in it"},
		{"u twelve,bytes,12", "", "", "tgt-admin cannot be given a user or secret with a blank"},
		{"u twelve-bytes-12 u other-bytes-12", "", "", "tgt has one secret for each user, and there are two for one of its users"},
		{"u twelve-bytes-12", "    lun: 2\n", "    lun: 1\n", ""},
	} {
		text := strings.Replace(seed, c.old, c.text, 1)
		if c.want == "" {
			c.want = "LUN 0 becomes LUN 1, which there is too"
			text += second + "target: " + secretTarget + ", chap: secrets}\n"
		}
		r, err := parse("hosts.yaml", []byte(text), func(string) ([]byte, error) { return []byte(secretTarget + " " + c.line + "\n"), nil })
		if err != nil {
			t.Fatal(err)
		}
		conf := r.tgt()
		if strings.Contains(conf, "<target") || !strings.Contains(conf, "# no target "+secretTarget+": "+c.want) {
			t.Errorf("%s: %s", c.line, conf)
		}
		if left := r.LeftOut(); len(left) == 0 || !strings.HasPrefix(left[0], "tgt.conf has no target "+secretTarget+": "+c.want) {
			t.Errorf("%s: %q", c.line, left)
		}
	}
}
