package linkfile

import "strings"

// Parse reads the text of a file; invalid lines are ignored, as by udev.
func Parse(path, text string) *File {
	f := &File{Path: path, Match: map[string][]string{}}
	f.add(text)
	return f
}

// add parses a text: the file's, or that of a drop-in (systemd.syntax(7)). A comment within a
// continued line does not end the line.
func (f *File) add(text string) {
	section, before := "", ""
	for _, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimRight(line, "\r")
		if start := strings.TrimLeft(line, blanks); start != "" && (start[0] == '#' || start[0] == ';') {
			continue
		}
		line = before + line
		if before = ""; continues(line) {
			before = line[:len(line)-1] + " "
			continue
		}
		section = f.line(section, strings.Trim(line, blanks))
	}
	f.line(section, strings.Trim(before, blanks))
}

const blanks = " \t\r\n"

// continues reports whether a line ends in a backslash that no other one is before.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// line parses a line without blanks at its ends, and returns the section of the next one.
func (f *File) line(section, line string) string {
	if name, ok := strings.CutPrefix(line, "["); ok {
		name, closed := strings.CutSuffix(name, "]")
		if !closed {
			note(&f.Wrong, line)
			return section
		}
		return name
	}
	key, value, found := strings.Cut(line, "=")
	switch key = strings.Trim(key, blanks); {
	case line == "":
	case !found || key == "" || section == "":
		note(&f.Wrong, line)
	default:
		f.set(section, key, strings.Trim(value, blanks))
	}
	return section
}

// words splits a value at blanks; quotes hold a word together. ok is false if one is not closed,
// and its word is dropped.
func words(s string) (out []string, ok bool) {
	var word strings.Builder
	quote := rune(0)
	for _, r := range s + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote != 0 || !strings.ContainsRune(blanks, r):
			word.WriteRune(r)
		case word.Len() > 0:
			out = append(out, word.String())
			word.Reset()
		}
	}
	return out, quote == 0
}
