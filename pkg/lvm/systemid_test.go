package lvm_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

func TestHostSystemID(t *testing.T) {
	const uname = "global {\n\t# system_id_source = \"none\"\n\tsystem_id_source = \"uname\"\n}\n"
	for _, tt := range []struct {
		conf, local string
		id, err     string
	}{
		{"", "", "", ""},
		{"global { umask = 077 }", "", "", ""},
		{`global { system_id_source = "none" }`, "", "", ""},
		{uname, "", "node-1.example", ""},
		{`global/system_id_source = "uname"`, "", "node-1.example", ""},
		{uname, `local { system_id = "mine" }`, "node-1.example", ""},
		{`global { system_id_source = "lvmlocal" }`, `local { system_id = "-mi ne/1" }`, "mine1", ""},
		{`global { system_id_source = "lvmlocal" }`, "", "", ""},
		{uname, `global { system_id_source = "none" }`, "", ""},
		{`global { system_id_source = "machineid" }`, "", "0123456789abcdef0123456789abcdef", ""},
		{`global { system_id_source = "file" system_id_file = "/etc/lvm/id" }`, "", "by-file", ""},
		{`global { system_id_source = "file" }`, "", "", "file does not exist"},
		{`global { system_id_source = "appmachineid" }`, "", "", "lvm systemid prints the id"},
		{"global {", "", "", "etc/lvm/lvm.conf: "},
	} {
		root := fstest.MapFS{
			"etc/machine-id": {Data: []byte("0123456789abcdef0123456789abcdef\n")},
			"etc/lvm/id":     {Data: []byte("# of this host\n\n  by-file # really\nother\n")},
		}
		for name, text := range map[string]string{"lvm.conf": tt.conf, "lvmlocal.conf": tt.local} {
			if text != "" {
				root["etc/lvm/"+name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		got, err := lvm.HostSystemID(root, "node-1.example")
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || got != tt.id {
			t.Errorf("%s %s: %q, %v", tt.conf, tt.local, got, err)
		}
	}
	if id, err := lvm.HostSystemID(fstest.MapFS{"etc/lvm/lvm.conf": {Data: []byte(uname)}}, "localhost.localdomain"); id != "" || err != nil {
		t.Error(id, err)
	}
}

func TestValidSystemID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "node-1.example+x_y": true, strings.Repeat("a", 128): true,
		"": false, "-a": false, "a b": false, "a/b": false, "localhost": false, strings.Repeat("a", 129): false,
	} {
		if lvm.ValidSystemID(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}
