package system

import (
	"fmt"
	"strings"
)

// Array is a line of mdadm.conf(5) about an md array.
type Array struct {
	Device string // "/dev/md/0"; empty: none
	UUID   string // in hexadecimal digits, lower case; empty: none
	Module string // of the array's level, "raid456"; empty: the line does not have the level
}

// ParseArrays reads the arrays of a configuration file of mdadm. A line that begins with a blank
// continues the one before it; a keyword may be cut to three letters, in any case.
func ParseArrays(text string) ([]Array, error) {
	var out []Array
	var entry []string
	lines := 0
	add := func() {
		if a, ok := parseArray(entry); ok {
			out = append(out, a)
		}
		entry = nil
	}
	for line := range strings.Lines(text) {
		if lines++; lines > maxLines {
			return nil, fmt.Errorf("it has more than %d lines", maxLines)
		}
		line, _, _ = strings.Cut(line, "#")
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			add()
		}
		entry = append(entry, strings.Fields(line)...)
	}
	add()
	return out, nil
}

// parseArray reads the words of a line; ok is false if it is about something else, or names an
// array that mdadm is to ignore.
func parseArray(words []string) (a Array, ok bool) {
	if len(words) == 0 || len(words[0]) < 3 || !strings.HasPrefix("array", strings.ToLower(words[0])) {
		return Array{}, false
	}
	for i, word := range words[1:] {
		key, value, tag := strings.Cut(word, "=")
		switch key = strings.ToLower(key); {
		case !tag && i == 0 && word == "<ignore>":
			return Array{}, false
		case !tag && i == 0 && word != "<none>":
			a.Device = word
			if !strings.HasPrefix(word, "/") {
				a.Device = "/dev/md/" + word
			}
		case key == "uuid":
			a.UUID = hexDigits(value)
		case key == "level":
			a.Module = moduleOf(value)
		}
	}
	return a, true
}

// hexDigits leaves the digits of a UUID: mdadm writes it with colons, the kernel with hyphens.
func hexDigits(id string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return r
		}
		return -1
	}, strings.ToLower(id))
}

// moduleOf returns the module of a level by the names that mdadm has for it (maps.c: pers).
func moduleOf(level string) string {
	switch strings.TrimPrefix(strings.ToLower(level), "raid") {
	case "0", "stripe":
		return "raid0"
	case "1", "mirror":
		return "raid1"
	case "4", "5", "6":
		return "raid456"
	case "10":
		return "raid10"
	case "linear":
		return "linear"
	}
	return ""
}
