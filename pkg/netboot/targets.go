package netboot

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// byTarget returns the machines that have a disk, by their targets, in the order of the file.
func (r *Room) byTarget() (names []string, hosts map[string][]Host) {
	hosts = map[string][]Host{}
	for _, h := range r.Hosts {
		if h.Disk == "" {
			continue
		}
		if !slices.Contains(names, h.Target) {
			names = append(names, h.Target)
		}
		hosts[h.Target] = append(hosts[h.Target], h)
	}
	return names, hosts
}

// number returns a host's LUN as targets are configured with it.
func (h Host) number() int {
	n, _ := h.LUN.Number()
	return int(n)
}

// identity returns 64 hex digits that stay with a disk, so that two targets never give one name to
// two disks.
func identity(h Host) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %s", h.Target, h.LUN)))
}

// The part of LIO's saveconfig.json (rtslib-fb, rtslib/root.py: dump) that is a target's.
type (
	lioConfig struct {
		Fabric  []string     `json:"fabric_modules"`
		Storage []lioStorage `json:"storage_objects"`
		Targets []lioTarget  `json:"targets"`
	}
	lioStorage struct {
		Name   string `json:"name"`
		Plugin string `json:"plugin"`
		Dev    string `json:"dev"`
		WWN    string `json:"wwn"`
		Write  bool   `json:"write_back"`
	}
	lioTarget struct {
		Fabric string   `json:"fabric"`
		WWN    string   `json:"wwn"`
		TPGs   []lioTPG `json:"tpgs"`
	}
	lioTPG struct {
		Tag        int            `json:"tag"`
		Enable     bool           `json:"enable"`
		Attributes map[string]int `json:"attributes"`
		LUNs       []lioLUN       `json:"luns"`
		ACLs       []lioACL       `json:"node_acls"`
		Portals    []lioPortal    `json:"portals"`
	}
	lioLUN struct {
		Index   int    `json:"index"`
		Storage string `json:"storage_object"`
	}
	lioACL struct {
		Node           string         `json:"node_wwn"`
		LUNs           []lioMappedLUN `json:"mapped_luns"`
		User           string         `json:"chap_userid,omitempty"`
		Password       string         `json:"chap_password,omitempty"`
		MutualUser     string         `json:"chap_mutual_userid,omitempty"`
		MutualPassword string         `json:"chap_mutual_password,omitempty"`
	}
	lioMappedLUN struct {
		Index  int  `json:"index"`
		TPGLUN int  `json:"tpg_lun"`
		Write  bool `json:"write_protect"`
	}
	lioPortal struct {
		Address string `json:"ip_address"`
		Port    uint16 `json:"port"`
	}
)

// lio returns a configuration for targetctl restore.
func (r *Room) lio() (string, error) {
	c := lioConfig{Fabric: []string{}, Storage: []lioStorage{}, Targets: []lioTarget{}}
	names, hosts := r.byTarget()
	for _, h := range r.Hosts {
		if h.CHAP == nil || h.Disk == "" {
			continue
		}
		if err := h.lioLacks(); err != nil {
			return "", err
		}
	}
	for _, name := range names {
		tpg := lioTPG{Tag: 1, Enable: true, Attributes: map[string]int{"authentication": 0, "generate_node_acls": 0, "demo_mode_write_protect": 1}}
		for _, h := range hosts[name] {
			c.Storage = tpg.add(h, c.Storage)
		}
		c.Targets = append(c.Targets, lioTarget{"iscsi", name, []lioTPG{tpg}})
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the configuration of LIO: %w", err)
	}
	return string(text) + "\n", nil
}

// add maps a disk to its machine alone.
func (t *lioTPG) add(h Host, storage []lioStorage) []lioStorage {
	plugin := "fileio"
	if strings.HasPrefix(h.Disk, "/dev/") {
		plugin = "block"
	}
	if !slices.ContainsFunc(t.LUNs, func(l lioLUN) bool { return l.Index == h.number() }) {
		id := identity(h)
		uuid := strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:32]}, "-")
		storage = append(storage, lioStorage{h.Name, plugin, h.Disk, uuid, false})
		t.LUNs = append(t.LUNs, lioLUN{h.number(), "/backstores/" + plugin + "/" + h.Name})
	}
	acl := lioACL{Node: h.Initiator, LUNs: []lioMappedLUN{{h.number(), h.number(), false}}}
	if h.CHAP != nil {
		t.Attributes["authentication"] = 1
		acl.User, acl.Password = h.CHAP.User, string(h.CHAP.Secret.Bytes())
		if !h.CHAP.TargetSecret.Empty() {
			acl.MutualUser, acl.MutualPassword = h.targetUser(), string(h.CHAP.TargetSecret.Bytes())
		}
	}
	t.ACLs = append(t.ACLs, acl)
	for _, p := range h.Portals {
		portal := lioPortal{p.Host, port(p)}
		if _, ok := p.Addr(); !ok {
			portal.Address = "0.0.0.0" // LIO knows no names
		}
		if !slices.Contains(t.Portals, portal) {
			t.Portals = append(t.Portals, portal)
		}
	}
	return storage
}
