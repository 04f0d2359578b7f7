package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// netplan marks the root's Ethernet definitions critical: netplan merges a definition of the same
// id in a later file into the first, and takes no such link down when it applies a change
// (netplan(5), critical).
func netplan(r Root) []File {
	if len(r.Netplan) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("# From iscsiroot: root depends on this network.\nnetwork:\n  version: 2\n  ethernets:\n")
	for _, id := range r.Netplan {
		_, _ = fmt.Fprintf(&b, "    %q:\n      critical: true\n", id)
	}
	return []File{{Path: "netplan/zz-iscsiroot.yaml", Mode: 0o600, Content: b.String()}} // netplan warns of any other mode
}

// netplanFile is the name of the file that netplan's generator writes for networkd.
func netplanFile(id string) string { return "10-netplan-" + id + ".network" }

// netplanFiles returns the ids of the root's Ethernet definitions, those that are members of a
// bridge or a bond, in any file, separate from the others.
func netplanFiles(root fs.FS) (ids, members []string, err error) {
	var all []string
	var errs []error
	for _, dir := range netplanDirs {
		names, err := list(root, dir, ".yaml")
		errs = append(errs, err)
		for _, name := range names {
			text, err := read(root, path.Join(dir, name))
			errs = append(errs, err)
			all = append(all, netplanIDs(text)...)
			members = append(members, netplanMembers(text)...)
		}
	}
	members = unique(members)
	for _, id := range unique(all) {
		if !slices.Contains(members, id) {
			ids = append(ids, id)
		}
	}
	return ids, members, errors.Join(errs...)
}

// yamlLines calls f for each line of a file that is neither empty nor a comment, with how far it is
// indented. It is no YAML parser: what is in flow style gives nothing, and then networkd is as it
// is without us.
func yamlLines(text string, f func(indent int, body string)) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		body := strings.TrimLeft(line, " ")
		if body != "" && body[0] != '#' {
			f(len(line)-len(body), body)
		}
	}
}

// netplanIDs finds the keys right below "ethernets:" by their indentation.
func netplanIDs(text string) []string {
	var ids []string
	section, key := -1, -1 // indentation of "ethernets:" and of the keys below it
	yamlLines(text, func(indent int, body string) {
		name, rest, found := strings.Cut(body, ":")
		switch {
		case section >= 0 && indent > section:
			if key < 0 {
				key = indent
			}
			if id := unquote(name); indent == key && found && plain(id) && len(ids) < maxFiles {
				ids = append(ids, id)
			}
		case found && name == "ethernets" && strings.TrimSpace(rest) == "":
			section, key = indent, -1
		default:
			section = -1
		}
	})
	return ids
}

// netplanMembers finds what is listed as interfaces of a bridge or a bond, be it as [a, b] or as a
// line with a hyphen each.
func netplanMembers(text string) []string {
	var ids []string
	section, key := -1, -1 // indentation of "bridges:" or "bonds:", and of "interfaces:" below it
	flow := false          // in a [ that is not closed yet
	add := func(list string) {
		list, _, _ = strings.Cut(list, "#")
		list, _, closed := strings.Cut(list, "]")
		for item := range strings.SplitSeq(list, ",") {
			if id := unquote(item); plain(id) && len(ids) < maxFiles {
				ids = append(ids, id)
			}
		}
		flow = flow && !closed
	}
	yamlLines(text, func(indent int, body string) {
		name, rest, found := strings.Cut(body, ":")
		rest = strings.TrimSpace(rest)
		switch {
		case flow:
			add(body)
		case section >= 0 && key >= 0 && indent >= key && strings.HasPrefix(body, "- "):
			add(body[2:])
		case section >= 0 && indent > section:
			key = -1
			if found && name == "interfaces" {
				key = indent
				if list, ok := strings.CutPrefix(rest, "["); ok {
					flow = true
					add(list)
				}
			}
		case found && (name == "bridges" || name == "bonds"):
			section, key = indent, -1
		default:
			section, key = -1, -1
		}
	})
	return ids
}

// unquote takes blanks and quotes off a word of YAML.
func unquote(word string) string { return strings.Trim(strings.TrimSpace(word), `"'`) }
