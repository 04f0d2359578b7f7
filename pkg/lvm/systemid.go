package lvm

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// HostSystemID returns the system id that lvm2 has on a host (lvmsystemid(7)), by the configuration
// in the host's files; empty: none. hostName is that of uname(2).
func HostSystemID(root fs.FS, hostName string) (string, error) {
	var conf [2][]node
	for i, name := range []string{"etc/lvm/lvm.conf", "etc/lvm/lvmlocal.conf"} { // the second one overrides
		text, err := fs.ReadFile(root, name)
		if err == nil {
			conf[i], err = parseConfig(string(text))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	setting := func(section, key string) string {
		value := ""
		for _, nodes := range conf {
			if text, ok := settingOf(nodes, section, key); ok {
				value = text
			}
		}
		return value
	}
	switch source := setting("global", "system_id_source"); source {
	case "", "none":
		return "", nil
	case "uname":
		return systemID(hostName), nil
	case "lvmlocal":
		return systemID(setting("local", "system_id")), nil
	case "machineid":
		return systemIDOf(root, "etc/machine-id")
	case "file":
		return systemIDOf(root, strings.TrimPrefix(setting("global", "system_id_file"), "/"))
	default: // appmachineid
		return "", fmt.Errorf("etc/lvm/lvm.conf: global/system_id_source is %s, which is not supported: lvm systemid prints the id", source)
	}
}

// settingOf returns the value of a key, which may have its section's name before it.
func settingOf(nodes []node, section, key string) (text string, ok bool) {
	for _, n := range nodes {
		switch {
		case n.key == section && n.section:
			if one, found := settingOf(n.children, "", key); found {
				text, ok = one, true
			}
		case n.key == key && section == "", n.key == section+"/"+key:
			if len(n.values) == 1 {
				text, ok = n.values[0].text, true
			}
		}
	}
	return text, ok
}

// systemIDOf returns the id in a file: its first line that is no comment
// (lib/commands/toolcontext.c: _read_system_id_from_file).
func systemIDOf(root fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			return systemID(line), nil
		}
	}
	return "", nil
}

// systemID drops what lvm2 does not accept in an id (lib/misc/lvm-string.c: copy_systemid_chars).
// One that begins as the name of no host does is none.
func systemID(text string) string {
	id := strings.Map(func(c rune) rune {
		if isIDChar(c) {
			return c
		}
		return -1
	}, text)
	const most = 128
	id = strings.TrimLeft(id, "+_.-")
	if id = id[:min(len(id), most)]; strings.HasPrefix(id, "localhost") {
		return ""
	}
	return id
}

func isIDChar(c rune) bool {
	return strings.ContainsRune("+_.-", c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// ValidSystemID reports whether a host can have a system id.
func ValidSystemID(id string) bool { return id != "" && systemID(id) == id }
