package netboot

import (
	"encoding/json"
	"strings"
	"testing"
)

// lioSaved is what targetctl reads of a target in saveconfig.json (rtslib/target.py, tpg.py:
// TPG.setup).
type lioSaved struct {
	Storage []struct {
		Name, Plugin, Dev, WWN string
		Write                  bool `json:"write_back"`
	} `json:"storage_objects"`
	Modules []string `json:"fabric_modules"`
	Targets []struct {
		Fabric, WWN string
		TPGs        []struct {
			Tag        int
			Enable     bool
			Attributes map[string]int
			LUNs       []struct {
				Index   int
				Storage string `json:"storage_object"`
			}
			ACLs []struct {
				Node       string         `json:"node_wwn"`
				LUNs       []lioMappedLUN `json:"mapped_luns"`
				User       string         `json:"chap_userid"`
				Secret     string         `json:"chap_password"`
				BackUser   string         `json:"chap_mutual_userid"`
				BackSecret string         `json:"chap_mutual_password"`
			} `json:"node_acls"`
			Portals []struct {
				Address string `json:"ip_address"`
				Port    int
			}
		}
	}
}

// readLIO reads a configuration; a key that is not known is an error.
func readLIO(text string) (c lioSaved, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return c, d.Decode(&c)
}

// FuzzLIO: what targetctl reads is what the hosts file has.
func FuzzLIO(f *testing.F) {
	s := usual()
	f.Add(s["name"], s["target"], s["initiator"], s["disk"], s["portals"], "user", "twelve-bytes-12")
	f.Add("A", "iqn.x:t", "iqn.x:i", "/dev/vg/<a>&b", "[2001:db8::1]:860", "ü u", "<ü & \u2028 blanks>")
	f.Add("A", "iqn.x:t", "iqn.x:i", "/srv/a", "10.1.1.180", "us\xffer", "twelve-bytes-12")
	f.Add("a", "iqn.x:t", "iqn.x:i", "/srv/a b", "san.example", "u", "\x01\xff-control-1")
	f.Fuzz(func(t *testing.T, name, target, initiator, disk, portals, user, secret string) {
		if strings.ContainsAny(user+secret, "\"\\\n\r") {
			return // another line, or quoted otherwise
		}
		s := usual().with("name", name, "target", target, "initiator", initiator, "disk", disk, "portals", portals)
		r := s.room(t, fuzzedServer, `"`+user+`" "`+secret+`" "" "back-`+secret+`"`)
		if r == nil || disk == "" {
			return
		}
		text, err := r.lio()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "host "+name+": ") {
				t.Errorf("an error without its host: %v", err)
			}
			return
		}
		c, err := readLIO(text)
		if err != nil || len(c.Storage) != 1 || len(c.Targets) != 1 || len(c.Targets[0].TPGs) != 1 {
			t.Fatalf("%q: %+v, %v", s, c, err)
		}
		h, store, tpg := r.Hosts[0], c.Storage[0], c.Targets[0].TPGs[0]
		if store.Dev != disk || store.Name != name || c.Targets[0].WWN != target || tpg.Attributes["authentication"] != 1 {
			t.Errorf("%+v of %q", c, s)
		}
		if len(tpg.LUNs) != 1 || tpg.LUNs[0].Index != 2 || !strings.HasSuffix(tpg.LUNs[0].Storage, "/"+name) || len(tpg.ACLs) != 1 {
			t.Fatalf("%+v of %q", tpg, s)
		}
		acl := tpg.ACLs[0]
		if acl.Node != initiator || acl.User != user || acl.Secret != string(h.CHAP.Secret.Bytes()) || acl.BackUser != target || acl.BackSecret != string(h.CHAP.TargetSecret.Bytes()) {
			t.Errorf("%+v of %q", acl, s)
		}
		p := s.portal(t)
		if _, ok := p.Addr(); !ok {
			p.Host = "0.0.0.0"
		}
		if len(tpg.Portals) == 0 || tpg.Portals[0].Address != p.Host || tpg.Portals[0].Port != int(p.Port) {
			t.Errorf("%+v of %q", tpg.Portals, s)
		}
	})
}
