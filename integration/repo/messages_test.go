package repo_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unwanted are words that messages, hints and help texts do without: persons in place of programs,
// machines and users, and idioms in place of the terms of the RFCs, the kernel and POSIX.
var unwanted = []struct{ what, instead string }{
	{`(?i:nobody|somebody|anybody|everybody)`, "the program, machine, client or user that is meant"},
	{`(?i:who|whom|whoever)`, "the program, machine, client or user that is meant"},
	{`he|him|his|she|her`, "the program, machine, client or user that is meant"},
	{`(?i:passed over)`, "is ignored"},
	{`counts( more| most| only)?([,:;]|$)|does not count|counts for`, "is used, takes precedence, is ignored"},
	{`gets? along|did not get along`, "rejected, does not support"},
	{`looks? after`, "recovers, watches"},
	{`(is|are) told|tells?`, "reports, shows, sends"},
	{`as \S+ (says|has it|have it)`, "the source in brackets"},
	{`(target|kernel|server|portal|firmware|host|boot|loader|machine|card|it) wants`, "requires, asks for"},
	{`mends?`, "correct, repair"},
	{`hangs? on`, "depends on"},
	{`has its turn|wait for (its|their) turn`, "is next"},
	{`knows? no`, "unknown"},
	{`did not like|has itself to blame`, "the cause"},
	{`without a word`, "without a response"},
	{`no way to`, "not supported"},
	{`with us`, "here"},
	{`(?i:our|ours|us)`, "of the boot's sessions, the initiator's, this machine's"},
	{`for ever`, "without a limit, without end"},
	{`hears?|heard`, "receives"},
	{`in peace|has no place|run wild`, "plain words"},
	{`insists? on`, "requires"},
	{`in vain`, "without success, timed out"},
	{`(make|made|makes) (it|them) there`, "create it"},
}

// isNo finds "this is no MAC", for "this is not a MAC"; "there is no" and "is no longer" are good.
var isNo = regexp.MustCompile(`(\S+ |^)(?:is|are) no ([[:alpha:]]+)`)

// A message, a hint or a help text is plain technical English: what happened, to what, what to do.
// Words that came up in reviews do not come back.
func TestMessagesArePlain(t *testing.T) {
	var words []*regexp.Regexp
	for _, u := range unwanted {
		words = append(words, regexp.MustCompile(`(^|[^-\w.])(`+u.what+`)([^-\w]|$)`))
	}
	literals := 0
	for dir, files := range source(t) {
		if !strings.HasPrefix(dir, "pkg/") && !strings.HasPrefix(dir, "cmd/") {
			continue
		}
		for name, file := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			eachText(file, func(text string) {
				literals++
				for i, re := range words {
					if found := re.FindString(text); found != "" {
						t.Errorf("%s: %q in the text %q: write: %s", name, strings.TrimSpace(found), text, unwanted[i].instead)
					}
				}
				for _, m := range isNo.FindAllStringSubmatch(text, -1) {
					if !strings.HasSuffix(strings.ToLower(strings.TrimSpace(m[1])), "there") && m[2] != "longer" {
						t.Errorf("%s: %q in the text %q: write: is not a", name, m[0], text)
					}
				}
			})
		}
	}
	if literals < 2000 {
		t.Errorf("found %d texts only", literals)
	}
}

// eachText calls f for every string literal of more than one word.
func eachText(file *ast.File, f func(text string)) {
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err == nil && strings.Contains(strings.TrimSpace(text), " ") {
			f(text)
		}
		return true
	})
}
