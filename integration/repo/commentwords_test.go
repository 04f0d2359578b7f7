package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// unclear are words that comments do without: a program is not a person, a session, a disk or a
// connection has a name instead of a possessive pronoun, and an idiom has a plain word.
var unclear = []struct{ what, instead string }{
	{`our (sessions?|disks?|connections?|init|image|words)`, "of the boot's sessions, the initiator's, iscsiroot's"},
	{`(?i:somebody|whoever)`, "the program, machine, client or user that is meant"},
	{`(?i:nobody) (can|will|may|must|else|\w+s)`, "no program, no machine, no source"},
	{`(she|him|his|her)`, "the program, machine, client or user that is meant"},
	{`(has|have|had) (its|their|no) (place|say|turn)`, "what the thing does"},
	{`looks? after`, "recovers, watches"},
	{`gets? along`, "supports, accepts"},
	{`(gives?|gave) up (its|their) minds?|minds`, "fails, returns"},
	{`(target|kernel|server|portal|initiator|host)s? (that )?behaves?`, "correct, conforms"},
	{`did not like|does not like|likes to`, "rejects"},
	{`in vain`, "without success, timed out"},
	{`hasty|in a hurry`, "the limit or the interval"},
	{`all the same|as was asked|to and fro`, "plain words"},
	{`run wild`, "the condition"},
	{`insists? on`, "requires"},
	{`for ever`, "without limit, without end"},
	{`tells? of|(is|are) told|hears?|heard`, "reports, returns, receives"},
	{`in peace`, "the condition"},
}

// A comment is plain technical English, as a message is. Words that came up in reviews do not come
// back.
func TestCommentsArePlain(t *testing.T) {
	var words []*regexp.Regexp
	for _, u := range unclear {
		words = append(words, regexp.MustCompile(`(^|[^-\w."'])(`+u.what+`)([^-\w"']|$)`))
	}
	comments := 0
	for name, text := range goFiles(t) {
		eachComment(t, name, text, func(line int, text string) {
			comments++
			for i, re := range words {
				if found := re.FindStringSubmatch(text); found != nil {
					t.Errorf("%s:%d: %q in a comment: write: %s", name, line, found[2], unclear[i].instead)
				}
			}
		})
	}
	if comments < 8000 {
		t.Errorf("found %d comments only", comments)
	}
}

// eachComment calls f for every comment of a file, with its line and its text in one line.
func eachComment(t *testing.T, name string, text []byte, f func(line int, text string)) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		f(set.Position(group.Pos()).Line, plainComment(group))
	}
}

// plainComment returns the text of a comment without its line breaks.
func plainComment(group *ast.CommentGroup) string {
	return strings.Join(strings.Fields(group.Text()), " ")
}
