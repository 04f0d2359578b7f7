package handover

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// portKeys are the settings of a .network file's [Network] section that make a link a port of
// another one, which then has the addresses (systemd.network(5)). A link in a VRF keeps its own.
var portKeys = []string{"Bridge", "Bond", "BatmanAdvanced"}

// networkFiles returns the base names of the root's .network files, those that make their links
// ports apart from the others.
func networkFiles(root fs.FS) (networks, ports []string, err error) {
	var all []string
	var errs []error
	for _, dir := range networkDirs {
		names, err := list(root, dir, ".network")
		errs = append(errs, err)
		all = append(all, names...)
	}
	for _, name := range unique(all) {
		isPort, err := makesPort(root, name)
		errs = append(errs, err)
		if isPort {
			ports = append(ports, name)
		} else {
			networks = append(networks, name)
		}
	}
	return networks, ports, errors.Join(errs...)
}

// makesPort reads a .network file as networkd does: of several with one name the one in the first
// directory is used, and after it its drop-ins by their names, in any of the directories
// (systemd.network(5)).
func makesPort(root fs.FS, name string) (bool, error) {
	var errs []error
	var files, bases []string
	dropins := map[string]string{} // paths by base name
	for _, dir := range networkDirs {
		if _, err := fs.Stat(root, path.Join(dir, name)); err == nil && files == nil {
			files = []string{path.Join(dir, name)}
		}
		names, err := list(root, path.Join(dir, name+".d"), ".conf")
		errs = append(errs, err)
		for _, n := range names {
			if dropins[n] == "" { // else it is masked
				dropins[n] = path.Join(dir, name+".d", n)
			}
		}
		bases = append(bases, names...)
	}
	for _, n := range unique(bases) {
		files = append(files, dropins[n])
	}
	of := map[string]string{}
	for _, file := range files {
		text, err := read(root, file)
		errs = append(errs, err)
		readPortKeys(text, of)
	}
	isPort := slices.ContainsFunc(portKeys, func(key string) bool { return of[key] != "" })
	return isPort, errors.Join(errs...)
}

// unique sorts names, and takes out what is there twice.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// readPortKeys notes the values of portKeys in the text of a .network file or of a drop-in: the
// last one counts, an empty one too (systemd.syntax(7)).
func readPortKeys(text string, of map[string]string) {
	section := ""
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		case section == "[Network]":
			key, value, found := strings.Cut(line, "=")
			if key = strings.TrimSpace(key); found && slices.Contains(portKeys, key) {
				of[key] = strings.TrimSpace(value)
			}
		}
	}
}
