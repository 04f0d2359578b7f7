package verb

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

func grepVerb() Verb {
	return Verb{
		Name: "grep", Args: "[-cEFhilnqrv] PATTERN [FILE...]", Help: "show the lines that match", Group: Text,
		More: "-c how many, -F pattern is plain text, -h no file names, -i ignore case, -l names of files that match,\n-n line numbers, -q only the status, -r all below directories, -v lines that do not match\nthe pattern is an extended regular expression, as with -E",
		Run: func(ctx context.Context, c *Call) error {
			g, err := newGrep(c)
			if err != nil {
				return err
			}
			if err := g.run(ctx); err != nil {
				return err
			}
			if g.found == 0 {
				return &StatusError{1}
			}
			return nil
		},
	}
}

type grep struct {
	*Call
	options
	re    *regexp.Regexp
	files []string
	found int
}

func newGrep(c *Call) (*grep, error) {
	o, args, err := c.options("cEFhilnqrRve:")
	if err != nil {
		return nil, err
	}
	pattern, ok := o['e']
	if !ok {
		if len(args) == 0 {
			return nil, usage("needs a pattern")
		}
		pattern, args = args[0], args[1:]
	}
	if o.has('F') {
		pattern = regexp.QuoteMeta(pattern)
	}
	if o.has('i') {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, usage("%v", err)
	}
	return &grep{Call: c, options: o, re: re, files: args}, nil
}

func (g *grep) run(ctx context.Context) error {
	deep := g.has('r') || g.has('R')
	if deep && len(g.files) == 0 {
		g.files = []string{"."}
	}
	named := (len(g.files) > 1 || deep) && !g.has('h')
	if !deep {
		return g.inputs(ctx, g.files, func(name string, r io.Reader) error { return g.input(name, named, r) })
	}
	return each(ctx, g.files, func(top string) error {
		return filepath.WalkDir(g.Path(top), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || ctx.Err() != nil {
				return ctx.Err() // files that cannot be read are skipped, as many in /proc
			}
			f, err := os.Open(path)
			if err != nil {
				return nil
			}
			defer func() { _ = f.Close() }()
			_ = g.input(path, named, &contextReader{ctx, f})
			return ctx.Err()
		})
	})
}

func (g *grep) input(name string, named bool, r io.Reader) error {
	prefix := ""
	if named {
		prefix = name + ":"
	}
	count, number := 0, 0
	err := eachLine(r, func(line string) (bool, error) {
		number++
		if g.re.MatchString(line) == g.has('v') {
			return true, nil
		}
		count++
		switch {
		case g.has('q'):
			return false, nil
		case g.has('l'):
			return false, g.Printf("%s\n", name)
		case g.has('c'):
			return true, nil
		case g.has('n'):
			return true, g.Printf("%s%d:%s\n", prefix, number, line)
		}
		return true, g.Printf("%s%s\n", prefix, line)
	})
	g.found += count
	if err == nil && g.has('c') {
		err = g.Printf("%s%d\n", prefix, count)
	}
	return err
}
