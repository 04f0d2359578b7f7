package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// complete extends the word before the cursor: the name of a command where one can begin, a file
// elsewhere. Of several candidates it adds their common prefix, or else lists them.
func (s *shell) complete(line string, pos int) (string, int, []string) {
	before, after := line[:pos], line[pos:]
	start := strings.LastIndexAny(before, " \t|;&<>(=\"'") + 1
	word := before[start:]
	candidates := s.candidates(before[:start], word)
	if len(candidates) == 0 {
		return line, pos, nil
	}
	common := commonPrefix(candidates)
	if len(candidates) == 1 && !strings.HasSuffix(common, "/") {
		common += " "
	}
	if common == word && len(candidates) > 1 {
		return line, pos, candidates
	}
	before = before[:start] + common
	return before + after, len(before), nil
}

// candidates lists the completions of word, sorted.
func (s *shell) candidates(before, word string) []string {
	first := strings.TrimRight(before, " \t")
	if first == "" || strings.ContainsAny(first[len(first)-1:], "|;&(") {
		if !strings.Contains(word, "/") {
			return withPrefix(s.names(), word)
		}
		return s.files(word)
	}
	if v, ok := s.verbs[lastCommand(first)]; ok && v.Complete != nil && !strings.Contains(word, "/") {
		return withPrefix(v.Complete(), word)
	}
	return s.files(word)
}

// lastCommand returns the first word of the last command of a line.
func lastCommand(line string) string {
	line = line[strings.LastIndexAny(line, "|;&(")+1:]
	if f := strings.Fields(line); len(f) > 0 {
		return f[0]
	}
	return ""
}

func withPrefix(names []string, prefix string) []string {
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// files lists the files whose path begins with word, directories with a slash.
func (s *shell) files(word string) []string {
	dir, base := filepath.Split(word)
	full := dir
	if !filepath.IsAbs(full) {
		full = filepath.Join(s.runner.Dir, dir)
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base) || base == "" && e.Name()[0] == '.' {
			continue
		}
		name := dir + e.Name()
		if info, err := os.Stat(filepath.Join(full, e.Name())); err == nil && info.IsDir() {
			name += "/"
		}
		out = append(out, name)
	}
	return out
}

func commonPrefix(words []string) string {
	first, last := slices.Min(words), slices.Max(words)
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	return strings.ToValidUTF8(first[:n], "")
}
