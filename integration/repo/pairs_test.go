package repo_test

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// pair is a format that one part of the program writes and another one reads.
type pair struct {
	pkg            string
	writer, reader string // functions; those of a type as Type.Name
	limits         string // constants that bound both
	fuzzer         string // begins with a value, writes it and reads it
}

// pairs are all of them. The writer does not write what the reader refuses: it truncates in a way
// that is documented there, or fails.
var pairs = []pair{
	{"pkg/bootspec", "ParseFile", "Gather", "maxFile", "FuzzParseFile"}, // the policy in an image: the builder reads it as init does
	{"pkg/netboot", "manifestOf", "parseManifest", "maxManifest", "FuzzManifest"},
	{"pkg/recovery/agent", "State.Append", "parseState", "maxUplinks maxWWIDs MaxStates", "FuzzState"},
	{"pkg/recovery/agent", "State.Append", "stateMemory.load", "maxState", ""}, // by TestStateOf256Portals
	{"pkg/recovery/disks", "Memory.Append", "Memory.Line", "maxMemory", "FuzzMemory"},
	{"pkg/recovery/paths", "Memory.Append", "Memory.Line", "maxMemory", "FuzzMemory"},
	{"pkg/runstate", "FormatSessions", "ParseSessions", "maxSessions maxText", "FuzzSessions"},
	{"pkg/runstate", "FormatLease", "ParseLease", "maxLease", "FuzzLease"},
	{"pkg/runstate", "Status.Lines", "ParseStatus", "maxSessions", "FuzzStatus"},
	{"pkg/runstate", "JoinStatus", "ParseStatus", "maxText", "FuzzStatus"},
	{"pkg/runstate", "Mark.Format", "ParseMark", "", "FuzzMark"}, // two words: 31 bits in the reader
	{"pkg/session", "AppendState", "ParseStates", "MaxPortals maxAlgorithms", "FuzzParseStates"},
	{"pkg/shell/control", "Request.check", "ParseRequest", "MaxRequest MaxWords", "FuzzRequest"},
	{"pkg/shell/control", "Answer.String", "ParseAnswer", "MaxAnswer", "FuzzAnswer"},
	{"pkg/shell/control", "Typed.String", "ParseAnswer", "MaxAnswer", ""}, // by pkg/boot/debug: TestRemember
}

// notPairs are functions whose names are those of a writer, and what reads that.
var notPairs = map[string]string{
	"pkg/ibft Table.Encode":            "tests: firmware writes the table",
	"pkg/iscsi AppendText":             "a target",
	"pkg/iscsi EncodeBinary":           "a target",
	"pkg/iscsi PDU.MarshalBinary":      "a target",
	"pkg/iscsi Secret.Format":          "people",
	"pkg/iscsi Secret.MarshalText":     "people",
	"pkg/runstate FormatSinceBoot":     "the first line of the file",
	"pkg/shell/control Request.String": "Request.check is called before",
}

var writes = regexp.MustCompile(`^(Append|Format|Encode|Marshal)`)

// Each format that is written and read within the program is bounded by the same constants on both
// sides, and has a fuzzer that calls both.
func TestPairs(t *testing.T) {
	dirs := source(t)
	listed := map[string]bool{}
	for _, p := range pairs {
		code, tests := functions(dirs[p.pkg], false), functions(dirs[p.pkg], true)
		listed[p.pkg+" "+p.writer] = true
		for _, f := range []string{p.writer, p.reader} {
			used := reach(code, f)
			if used == nil {
				t.Errorf("%s has no function %s", p.pkg, f)
			}
			for limit := range strings.FieldsSeq(p.limits) {
				if !used[limit] {
					t.Errorf("%s: %s does not keep to %s", p.pkg, f, limit)
				}
			}
		}
		if used := reach(tests, p.fuzzer); p.fuzzer != "" && (!used[base(p.writer)] || !used[base(p.reader)]) {
			t.Errorf("%s: %s does not call %s and %s", p.pkg, p.fuzzer, p.writer, p.reader)
		}
	}
	for _, dir := range sorted(dirs) {
		reads := false
		names := functions(dirs[dir], false)
		for name := range names {
			reads = reads || strings.HasPrefix(strings.ToLower(base(name)), "parse") || base(name) == "Line"
		}
		for _, name := range sorted(names) {
			if reads && strings.HasPrefix(dir, "pkg/") && writes.MatchString(base(name)) && !listed[dir+" "+name] && notPairs[dir+" "+name] == "" {
				t.Errorf("%s: %s writes a format, and is not in the list of pairs", dir, name)
			}
		}
	}
}

// base is the name of a function without its type's.
func base(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// functions are those of a package by name, of its code, or of that and its tests.
func functions(files map[string]*ast.File, tests bool) map[string]*ast.FuncDecl {
	out := map[string]*ast.FuncDecl{}
	for _, path := range sorted(files) {
		if strings.HasSuffix(path, "_test.go") && !tests {
			continue
		}
		for _, d := range files[path].Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				out[receiver(f)+f.Name.Name] = f
			}
		}
	}
	return out
}

// receiver is the name of a method's type and a dot.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if name, ok := typ.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

// reach returns the names that a function uses, and those that functions of the package with these
// names use; nil: there is no such function.
func reach(all map[string]*ast.FuncDecl, name string) map[string]bool {
	f := all[name]
	if f == nil {
		return nil
	}
	used := map[string]bool{}
	queue := []*ast.FuncDecl{f}
	for len(queue) > 0 {
		f, queue = queue[0], queue[1:]
		ast.Inspect(f, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || used[id.Name] {
				return true
			}
			used[id.Name] = true
			for other, g := range all {
				if base(other) == id.Name && g != f {
					queue = append(queue, g)
				}
			}
			return true
		})
	}
	return used
}
