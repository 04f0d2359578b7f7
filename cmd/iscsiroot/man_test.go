package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commands are those that --help shows.
func commands(t *testing.T, s stage) []string {
	t.Helper()
	_, help, _ := s.run("--help")
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	var out []string
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); strings.HasPrefix(line, "  ") && f[0] != "help" {
			out = append(out, f[0])
		} else if line == "\n" {
			break
		}
	}
	if len(out) < 10 {
		t.Fatalf("%d commands in\n%s", len(out), help)
	}
	return out
}

// A call without a command shows in ten lines what to do first, and fails.
func TestFirstSteps(t *testing.T) {
	s := newStage(t)
	status, out, errs := s.run()
	if status != 2 || out != "" || strings.Count(errs, "\n") != 10 {
		t.Errorf("status %d, %q, on standard error:\n%s", status, out, errs)
	}
	known := commands(t, s)
	for _, m := range regexp.MustCompile(`iscsiroot ([a-z]+)[ ,]`).FindAllStringSubmatch(errs, -1) {
		if name := m[1]; name != "boots" && !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
			t.Errorf("there is no command %s", name)
		}
	}
	for line := range strings.Lines(errs) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// Every command has a page with all its options, and is in iscsiroot(8).
func TestCommandPages(t *testing.T) {
	s := newStage(t)
	_, main, _ := s.run("man", "iscsiroot")
	for _, name := range commands(t, s) {
		status, text, errs := s.run("man", name)
		if status != 0 {
			t.Errorf("%s: %s", name, errs)
			continue
		}
		_, usage, _ := s.run(name, "--help")
		options := 0
		for line := range strings.Lines(usage) {
			_, option, ok := strings.Cut(line, " --")
			if option, _, _ = strings.Cut(strings.TrimSpace(option), " "); !ok || !strings.HasPrefix(strings.TrimSpace(line), "-") {
				continue
			}
			options++
			option, _, _ = strings.Cut(option, "[")
			if !strings.Contains(text, "--"+option) {
				t.Errorf("the page of %s says nothing of --%s:\n%s", name, option, text)
			}
		}
		short, _, _ := strings.Cut(strings.SplitAfter(text, " - ")[1], "\n")
		if options == 0 || !strings.Contains(main, "\n    iscsiroot "+name+"\n        "+strings.TrimSpace(short)) {
			t.Errorf("%s has %d options; iscsiroot(8) says nothing of it, or not %q", name, options, short)
		}
	}
}

// The list names each page, and each page can be shown by its names and as roff.
func TestMan(t *testing.T) {
	s := newStage(t)
	status, list, errs := s.run("man")
	if status != 0 || errs != "" {
		t.Fatal(status, errs)
	}
	if status, _, errs := s.run("man", "--output", "~/man"); status != 0 {
		t.Fatal(errs)
	}
	pages := regexp.MustCompile(`(?m)^((iscsiroot-?([a-z]*))\(([78])\)) +(.+)$`).FindAllStringSubmatch(list, -1)
	if len(pages) < 19 {
		t.Errorf("%d pages in\n%s", len(pages), list)
	}
	for _, m := range pages {
		_, want, _ := s.run("man", m[2])
		if !strings.HasPrefix(want, m[1]+"\n\nNAME\n    "+m[2]+" - ") || strings.Contains(want, "<!--") {
			t.Errorf("%s:\n%.200s", m[2], want)
		}
		for _, name := range []string{m[1], m[3]} {
			if _, got, _ := s.run("man", name); name != "" && got != want {
				t.Errorf("man %s shows another page than man %s", name, m[2])
			}
		}
		_, roff, _ := s.run("man", "--roff", m[2])
		written, err := os.ReadFile(s.path("man/man" + m[4] + "/" + m[2] + "." + m[4]))
		if err != nil || roff != string(written) || !strings.HasPrefix(roff, ".TH ISCSIROOT") {
			t.Errorf("%s: %v:\n%.200s", m[1], err, roff)
		}
	}
	if status, _, errs := s.run("man", "wings"); status != 1 || errs != "iscsiroot: man wings: no such page: they are listed by iscsiroot man\n" {
		t.Errorf("no such page: status %d, %s", status, errs)
	}
	if status, _, errs := s.run("man", "--output", "/proc/none"); status != 1 || errs != "iscsiroot: mkdir /proc/none: no such file or directory\n" {
		t.Errorf("nowhere to write: status %d, %s", status, errs)
	}
}

// Every page that is named somewhere exists.
func TestNamedPages(t *testing.T) {
	s := newStage(t)
	_, list, _ := s.run("man")
	title := regexp.MustCompile(`\biscsiroot(?:-[a-z]+)?\([1-9]\)`)
	shown := regexp.MustCompile(`\biscsiroot man (?:--roff )?([a-z]+)`)
	named := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if name := d.Name(); err == nil && name != "../.." && name != ".." && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata") {
				return fs.SkipDir
			}
			return err
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".md" && ext != ".sh" && ext != ".yaml" && ext != "" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, name := range title.FindAllString(string(text), -1) {
			named++
			if !strings.Contains(list, name+" ") {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
		for _, m := range shown.FindAllStringSubmatch(string(text), -1) {
			named++
			if !strings.Contains(list, "iscsiroot-"+m[1]+"(") {
				t.Errorf("%s: %q shows no page", path, m[0])
			}
		}
		return nil
	})
	if err != nil || named < 40 {
		t.Errorf("%d pages named: %v", named, err)
	}
}
